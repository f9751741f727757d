#include "clock.h"

#include "call.h"

struct timespec lazy_clock_read(clockid_t clock)
{
    struct timespec now;

    lazy_call_clock(clock, &now);
    return now;
}

long long lazy_clock_wall(void)
{
    return lazy_clock_read(CLOCK_REALTIME).tv_sec;
}

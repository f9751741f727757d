#include "clock.h"

#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

struct timespec lazy_clock_read(clockid_t clock)
{
    struct timespec now;

#if defined __linux__ && LONG_MAX > INT_MAX /* else there are two layouts of a timespec */
    syscall(SYS_clock_gettime, clock, &now);
#else
    clock_gettime(clock, &now);
#endif
    return now;
}

long long lazy_clock_wall(void)
{
    return lazy_clock_read(CLOCK_REALTIME).tv_sec;
}

#include "deadline.h"

#include "clock.h"

#include <limits.h>

long long lazy_now(void)
{
    struct timespec now = lazy_clock_read(CLOCK_MONOTONIC);

    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int lazy_deadline_left(long long deadline)
{
    long long left = deadline - lazy_now();

    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int lazy_step(long long waited, int most)
{
    long long step = 1 + waited / 32;

    return step > most ? most : (int)step;
}

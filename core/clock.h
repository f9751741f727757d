/* The clocks. */
#ifndef LAZY_CLOCK_H
#define LAZY_CLOCK_H

#include <time.h>

/* As clock_gettime(2), which can't fail for the clocks that we ask. */
struct timespec lazy_clock_read(clockid_t clock);

/* Seconds since 1970. */
long long lazy_clock_wall(void);

#endif

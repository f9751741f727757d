/* Monotonic time, in milliseconds. */
#ifndef LAZY_DEADLINE_H
#define LAZY_DEADLINE_H

/* Milliseconds of the monotonic clock. */
long long lazy_now(void);

/* Milliseconds left until `deadline` (of lazy_now), at least 0 and at most an int. */
int lazy_deadline_left(long long deadline);

/* The step after which somebody who polls for a server looks again: short at first, then a small
 * part of the time already waited, so that it costs little and never adds more than `most`. */
int lazy_step(long long waited, int most);

#endif

/* What the requests for one app know from one another, where a front keeps the app for many: that
 * something was looked for, and not found, a moment ago. Any thread may use it at any time; all take NULL
 * for a memo in which nothing stays. */
#ifndef LAZY_MEMO_H
#define LAZY_MEMO_H

#include <stdatomic.h>
#include <stdbool.h>

enum lazy_absent {
    LAZY_NO_RESTART, /* no restart was due */
    LAZY_NO_SILENCE, /* nobody was waiting for long */
    LAZY_ABSENTS
};

struct lazy_memo {
    atomic_llong seen[LAZY_ABSENTS]; /* lazy_now() of the last look; 0: none yet */
};

/* Was it looked for in the last `ms` milliseconds? */
bool lazy_memo_knows(const struct lazy_memo *memo, enum lazy_absent what, int ms);

/* It was looked for just now. */
void lazy_memo_keep(struct lazy_memo *memo, enum lazy_absent what);

/* It has to be looked for again. */
void lazy_memo_drop(struct lazy_memo *memo, enum lazy_absent what);

#endif

/* One request's way to its server: what the leader and those who wait have in common. */
#ifndef LAZY_ATTEMPT_H
#define LAZY_ATTEMPT_H

#include "server.h"
#include "starter.h"

#include <stdbool.h>

struct lazy_attempt {
    const struct lazy_app *app;
    const struct lazy_front *front;
    struct lazy_error *error;
    struct lazy_names names;
    int fd;     /* the connection; -1: none */
    int folder; /* the state folder, opened at need; -1: not yet */
    int bell;   /* -1: none */
    long long begin, deadline;
    int lost_starters; /* how many have ended without a word */
    bool may_not_wait; /* the front has said so */
};

enum lazy_progress { LAZY_ATTEMPT_FAILED = -1, LAZY_LOOK_AGAIN = 0, LAZY_CONNECTED = 1 };

/* Connects to attempt->fd, and checks who is there; waits up to `wait` ms in a full queue. LAZY_LOST
 * fills in the error. */
enum lazy_outcome lazy_attempt_reach(struct lazy_attempt *attempt, int wait);

/* Closes attempt->fd. */
void lazy_attempt_drop(struct lazy_attempt *attempt);

/* The server isn't simply there: patience begins, if the front lets this request wait. */
void lazy_attempt_hold(struct lazy_attempt *attempt);

/* Sleeps until `fd` (-1: none) has something: 1; at most `most` ms: 0; or the visitor has gone: -1 and
 * the error. */
int lazy_attempt_sleep(struct lazy_attempt *attempt, int fd, int most);

/* Fails with LAZY_PATIENCE. */
enum lazy_progress lazy_attempt_out_of_patience(struct lazy_attempt *attempt);

#endif

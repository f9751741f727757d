/* The record of the last start: a small text file that its owner can read. */
#ifndef LAZY_STATE_H
#define LAZY_STATE_H

#include "process.h"

#include <stdbool.h>

#define LAZY_REASON_SIZE 256
#define LAZY_STATE_STAMP_SIZE 64

enum lazy_state_outcome {
    LAZY_STATE_NONE,     /* nothing known */
    LAZY_STATE_STARTING, /* the start command runs; its server does not listen yet */
    LAZY_STATE_UP,       /* the server listened */
    LAZY_STATE_FAILED,   /* the start has failed */
    LAZY_STATE_STOPPING, /* the server is being stopped, to be started again */
    LAZY_STATE_OUTCOMES,
    LAZY_STATE_UNREAD = LAZY_STATE_OUTCOMES /* what is there could not be read: errno says why */
};

struct lazy_state {
    enum lazy_state_outcome outcome;
    struct lazy_process command; /* the start command's process, leader of its session */
    struct lazy_process server;  /* who listened when it came up (unix(7), SO_PEERCRED); pid 0: unknown */
    long long started;           /* seconds since 1970; 0: none */
    long long ended;             /* when the outcome was known */
    long long exit_status;       /* of the start command, if it exited; -1: it did not */
    long long signal;            /* that ended it; 0: none */
    long long failures;          /* failed starts in a row */
    long long next_start;        /* seconds since 1970 before which no start is due; 0: none */
    char reason[LAZY_REASON_SIZE];     /* why it failed */
    char stamp[LAZY_STATE_STAMP_SIZE]; /* of the app file that was started */
};

/* Reads the state; what isn't there, isn't ours or makes no sense counts as nothing known: false, and a
 * state with outcome LAZY_STATE_NONE; or LAZY_STATE_UNREAD. `folder` may be AT_FDCWD with a whole path. */
bool lazy_state_read(int folder, const char *name, struct lazy_state *state);

/* Replaces the state file in one step, by way of `temporary`; only a holder of the lock may. `title`
 * goes into its first comment. -1 and errno. */
int lazy_state_write(int folder, const char *name, const char *temporary, const char *title,
                     const struct lazy_state *state);

#endif

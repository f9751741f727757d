/* The starter: the detached process that holds the lock while a server is stopped, started and
 * watched, and records how it went. The request that triggered it (the leader) may be killed at any
 * time; so may the starter: its successor finds the record and goes on from there. */
#ifndef LAZY_STARTER_H
#define LAZY_STARTER_H

#include "app.h"
#include "error.h"
#include "process.h"
#include "state.h"

#include <limits.h>

/* The names of an app's files in its state folder. */
struct lazy_names {
    char lock[NAME_MAX + 1];
    char state[NAME_MAX + 1];
    char state_new[NAME_MAX + 1];
    char bell[NAME_MAX + 1];
};

struct lazy_starter {
    const struct lazy_app *app;
    const struct lazy_names *names;
    int folder;
    int lock;                /* held, until the starter ends */
    int mark;                /* on the app file, while the starter is at work */
    int link;                /* to the leader; -1: there is none */
    int restart;             /* stop what the state tells of first */
    struct lazy_state state; /* as it was read under the lock */
};

/* What goes over the link. The leader sends the server's pid (0: unknown) when it has met the server: the
 * first real request is the probe, so that no server sees a connection without a request. When the
 * leader has gone, the starter looks for itself. The starter sends struct lazy_error: with LAZY_OK and no
 * sentence, that probing may begin; with LAZY_OK and a sentence, a notice for the log; else why the
 * start has failed. */

/* Runs the starter in a detached process, which takes over the lock and gets a copy of the link. -1 and
 * errno; the lock is then released. */
int lazy_starter_spawn(struct lazy_starter *starter);

/* The names of the app's files. */
void lazy_names_set(struct lazy_names *names, const struct lazy_app *app);

/* Turns a state with LAZY_STATE_FAILED into the error of those who wanted that start. Returns -1. */
int lazy_starter_failure(const struct lazy_app *app, const struct lazy_state *state,
                         struct lazy_error *error);

#endif

/* The restart of a server that hangs. */
#ifndef LAZY_RESTART_H
#define LAZY_RESTART_H

#include "app.h"
#include "error.h"
#include "front.h"

/* This request has failed without a byte of reply: counts it. `silence` is what it had joined
 * (lazy_hang_join) if it has waited for a whole response-timeout itself; else -1, and it counts if
 * nobody was answered for as long: so a server that fails at once isn't restarted all the time. If it is
 * one too many, has the server stopped and started anew, by a starter that nobody waits for, and says so
 * at the end of the error's sentence. */
void lazy_restart_hung(const struct lazy_app *app, const struct lazy_front *front, int silence,
                       struct lazy_error *error);

#endif

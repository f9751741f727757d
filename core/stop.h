/* Stopping a server: TERM first, so that it may finish what it has, KILL after a grace. */
#ifndef LAZY_STOP_H
#define LAZY_STOP_H

#include "app.h"
#include "process.h"
#include "state.h"

#include <stdbool.h>

/* Ends the session that `command` leads, or led as a child of ours not yet reaped; returns when its
 * process group is empty, or after KILL. */
void lazy_stop_session(const struct lazy_process *command);

/* Ends the server of the last start: the session recorded in `state` while its leader is still that
 * process; else `server`, who listened, unless it is younger than the record: then it isn't the one
 * that was started. False: neither can be signalled. */
bool lazy_stop_server(const struct lazy_state *state, const struct lazy_process *server);

/* Removes a socket file that nobody listens at: many servers refuse to start over one. */
void lazy_stop_clear_socket(const struct lazy_app *app);

#endif

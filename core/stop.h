/* Stopping a server: TERM first, so that it may finish what it has, KILL after a grace. */
#ifndef LAZY_STOP_H
#define LAZY_STOP_H

#include "app.h"
#include "process.h"
#include "state.h"

#include <stdbool.h>

/* Ends what a start that has failed may have left: the session that its command leads, or led as a child
 * of ours not yet reaped; and by the owner's 'stop', when the command has left a server behind. Returns
 * when the command's process group is empty, or after KILL. */
void lazy_stop_start(const struct lazy_app *app, const struct lazy_state *state);

/* Ends the server of the last start: by the owner's 'stop', if there is one; then the session recorded in
 * `state` and the process that listened, while each is still that process. Returns when they have gone,
 * or after KILL. Who has no process of these may still listen. */
void lazy_stop_server(const struct lazy_app *app, const struct lazy_state *state);

/* The same, if there is something left of the last start that must not run beside the next one, though
 * nobody listens: its socket was deleted, or who was stopping it was killed. */
void lazy_stop_rest(const struct lazy_app *app, const struct lazy_state *state);

/* Removes a socket file that nobody listens at: many servers refuse to start over one. */
void lazy_stop_clear_socket(const struct lazy_app *app);

#endif

/* What the record of the last start calls for. */
#ifndef LAZY_DUE_H
#define LAZY_DUE_H

#include "app.h"
#include "state.h"

#include <stdbool.h>

#define LAZY_BACK_OFF_MAX_S 60 /* longest pause after failed starts */

/* The server that is up shall be stopped and started anew: the app file was touched since it was
 * started, or stopping it has begun. */
bool lazy_due_restart(const struct lazy_app *app, const struct lazy_state *state);

/* The same of a state that was not read, from its file's time: false only if that is the mark of the app
 * file as it is now, which the starter has given to it, or if there is no state. */
bool lazy_due_at_a_glance(const struct lazy_app *app, const char *state_file);

/* The last start has failed, and the pause after it isn't over. */
bool lazy_due_later(const struct lazy_app *app, const struct lazy_state *state);

/* Seconds of a pause after so many failures in a row. */
long long lazy_due_pause(long long failures);

#endif

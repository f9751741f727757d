/* The server of an app: connect; or start it once, and connect. */
#ifndef LAZY_SERVER_H
#define LAZY_SERVER_H

#include "app.h"
#include "error.h"
#include "front.h"

/* Returns a connection to the app's server, the caller's to close. Starts the server if nobody
 * listens, or if the app file was touched since it was started; waits at most the app's patience.
 * -1: LAZY_FOLDER, LAZY_START, LAZY_PATIENCE, LAZY_BUSY, LAZY_UNREACHABLE or LAZY_VISITOR_GONE. */
int lazy_connect(const struct lazy_app *app, const struct lazy_front *front,
                 struct lazy_error *error);

#endif

/* The server of an app: connect; or start it once, and connect. */
#ifndef LAZY_SERVER_H
#define LAZY_SERVER_H

#include "app.h"
#include "error.h"

#include <stdbool.h>

/* What the core needs of its front while it works for one request. */
struct lazy_front {
    int visitor; /* a descriptor that hangs up when the visitor has gone; -1: none */
    void (*notice)(void *context, const char *sentence); /* for the log; may be NULL */
    void *context;
};

/* Returns a connection to the app's server, the caller's to close. Starts the server if nobody
 * listens, or if the app file was touched since it was started; waits at most the app's patience.
 * *waited: the server wasn't simply there.
 * -1: LAZY_FOLDER, LAZY_START, LAZY_PATIENCE, LAZY_BUSY, LAZY_UNREACHABLE or LAZY_VISITOR_GONE. */
int lazy_connect(const struct lazy_app *app, const struct lazy_front *front, bool *waited,
                 struct lazy_error *error);

#endif

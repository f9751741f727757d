/* One visitor's request on its way through an app. */
#ifndef LAZY_VISIT_H
#define LAZY_VISIT_H

#include <httpd.h>

#include "apps.h"
#include "input.h"
#include "mount.h"

#include "core/exchange.h"

#include <stdbool.h>

struct lazy_visit {
    request_rec *request;
    const struct lazy_section *section;
    const struct lazy_mount *mount; /* NULL: the app file itself was asked for */
    const struct lazy_loaded *loaded;
    const char *file; /* the app file */
    struct lazy_front front;
    struct lazy_input input;
    struct lazy_request encoded;
    struct lazy_exchange exchange;
    bool waits; /* for a start, and counts as one that does */
};

/* The server is there, or won't be. */
void lazy_visit_wait_over(struct lazy_visit *visit);

/* The content handler. */
int lazy_visit_handle(request_rec *request);

#endif

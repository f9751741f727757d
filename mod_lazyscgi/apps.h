/* The apps that this child of httpd has loaded. */
#ifndef LAZY_APPS_H
#define LAZY_APPS_H

#include <httpd.h>

#include "board.h"
#include "directives.h"
#include "runtime.h"

#include "core/app.h"

/* An app, as its file was when it was loaded. */
struct lazy_loaded {
    struct lazy_app app;
    struct lazy_board_app *row; /* or NULL */
    struct lazy_memo memo;
    char name[LAZY_RUNTIME_NAME]; /* of its files in the runtime folder, if they are there */
    unsigned users;
};

/* The app of a mounted section, or of an app file with the durations and sizes of the section around
 * it; loaded when it isn't yet, or has changed. It stays as it is until the request's pool is cleared.
 * *file is its app file, even if NULL is returned: with the error of lazy_app_load(), or LAZY_FOLDER. */
const struct lazy_loaded *lazy_apps_get(request_rec *request, const struct lazy_section *section,
                                        const char **file, struct lazy_error *error);

/* Before the first. */
void lazy_apps_begin(apr_pool_t *pool);

#endif

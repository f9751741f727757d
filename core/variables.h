/* The environment of the start command: nothing of a request. */
#ifndef LAZY_VARIABLES_H
#define LAZY_VARIABLES_H

#include "app.h"

#include <limits.h>

/* Allowed names, LC_* ones, two of ours, LAZY_ENV_MAX of the app file. */
#define LAZY_VARIABLES_MAX 160

struct lazy_variables {
    char *list[LAZY_VARIABLES_MAX + 1]; /* for execve(2) */
    int count;
    char text[2 * PATH_MAX + LAZY_APP_PATHS_MAX];
};

/* Fills the list; it borrows from the app, and from the front's environment what is allowed. */
void lazy_variables_set(struct lazy_variables *variables, const struct lazy_app *app);

#endif

/* The only forks of the tree, and all hygiene between fork and exec. The caller may be a thread of
 * httpd: nothing here between fork and exec or _exit takes a lock or allocates. */
#ifndef LAZY_SPAWN_H
#define LAZY_SPAWN_H

#include "app.h"

#include <sys/types.h>

/* Runs `run(context)` in a process of its own that nobody waits for: own session, default signals,
 * stdin, stdout and stderr /dev/null, no descriptor but the `keep_count` ones in `keep`. The caller
 * is left with no child. -1 and errno when it can't be. */
int lazy_spawn_detached(void (*run)(void *context), void *context, const int *keep, int keep_count);

/* Opens the app's log for appending. -1 and errno. */
int lazy_spawn_log(const struct lazy_app *app);

/* Forks the app's start command as leader of its own session, but lets it run only once a byte comes
 * through *go: if the caller ends before, the command never runs. stdout and stderr are `log`.
 * Returns its pid, a child of the caller; -1 and errno. The caller closes *go. */
pid_t lazy_spawn_command(const struct lazy_app *app, int log, int *go);

#endif

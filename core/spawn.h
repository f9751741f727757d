/* The only forks of the tree, and all hygiene between fork and exec. The caller may be a thread of
 * httpd: nothing here between fork and exec or _exit takes a lock or allocates. */
#ifndef LAZY_SPAWN_H
#define LAZY_SPAWN_H

#include "app.h"

#include <sys/types.h>

/* Runs `run(context)` in a process of its own that nobody waits for: own session, default signals,
 * stdin, stdout and stderr /dev/null, no descriptor but the `keep_count` ones in `keep` (-1: none). The caller
 * is left with no child. -1 and errno when it can't be. */
int lazy_spawn_detached(void (*run)(void *context), void *context, const int *keep, int keep_count);

/* Opens the app's log for appending. -1 and errno. */
int lazy_spawn_log(const struct lazy_app *app);

/* Writes a line of our own there. */
void lazy_spawn_note(int log, const char *sentence);

/* Forks a command line of the app's as leader of its own session, with stdout and stderr in `log`. In the
 * child `prepare` (may be NULL) comes first, while it still has the caller's descriptors; if it returns
 * -1 and errno, the command is not run. Returns when all that is done; the pid, a child of the caller, or
 * -1 and errno. */
pid_t lazy_spawn_command(const struct lazy_app *app, const char *command, int log,
                         int (*prepare)(void *context), void *context);

#endif

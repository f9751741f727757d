/* The start's lock: whoever holds it may start a server. */
#ifndef LAZY_LOCK_H
#define LAZY_LOCK_H

#include "error.h"

#include <stdbool.h>

enum lazy_lock { LAZY_LOCK_ERROR = -1, LAZY_LOCK_HELD = 0, LAZY_LOCK_TAKEN = 1 };

/* Tries to take the lock file `name` of the state folder, without waiting. Taken: *fd holds it until
 * every copy of that descriptor is closed; it survives in a forked child. Error: LAZY_FOLDER. */
enum lazy_lock lazy_lock_take(int folder, const char *name, int *fd, struct lazy_error *error);

/* The lock counts only while its file can be found under its name: somebody may have deleted it, and
 * others would lock the next one. */
bool lazy_lock_is_current(int folder, const char *name, int fd);

/* Gives it back at once, whoever else has a copy, and closes fd. */
void lazy_lock_release(int fd);

#endif

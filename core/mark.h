/* The starter's mark on the app file: a second guard beside the lock, for somebody may delete the lock's
 * file, or the whole state folder, while a start is under way. */
#ifndef LAZY_MARK_H
#define LAZY_MARK_H

#include <stdbool.h>

/* Marks the file as being started by this process, until it closes the descriptor, or any other of that
 * file, or ends. -1: it can't be marked. */
int lazy_mark_set(const char *file);

/* Has another process of our user marked it too? */
bool lazy_mark_is_shared(int mark);

#endif

/* The state folder. */
#ifndef LAZY_FOLDER_H
#define LAZY_FOLDER_H

#include "error.h"

/* Opens the state folder, made (0700, its parent must exist) when it isn't there, with a .htaccess that
 * keeps httpd from serving it. A slash at the path's end would have the system follow a link, so it must
 * have none. Returns a descriptor, the caller's to close; -1 with LAZY_FOLDER: can't be made, is a link,
 * isn't ours, or others can write into it. */
int lazy_folder_open(const char *path, struct lazy_error *error);

/* Opens one file of the folder: never through a link, close-on-exec, made 0600 with O_CREAT. -1 and
 * errno. */
int lazy_folder_file(int folder, const char *name, int flags);

#endif

/* One application: its app file, read and resolved. */
#ifndef LAZY_APP_H
#define LAZY_APP_H

#include "address.h"
#include "error.h"
#include "memo.h"
#include "settings.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define LAZY_APP_FILE_MAX 16384 /* bytes of an app file */
#define LAZY_APP_PATHS_MAX 16384 /* bytes of all paths worked out from it */

/* Changes when the app file is touched or replaced. */
struct lazy_app_stamp {
    char text[64];
    struct timespec mark; /* the same as a file's time: see lazy_due_at_a_glance() */
};

/* All strings live in `text` and `paths`: an app must not be copied or moved. */
struct lazy_app {
    const char *file; /* absolute path of the app file */
    const char *name; /* its last component, or its home's: <app> in the names of its files */
    uid_t owner;      /* of the app file */
    dev_t device;
    ino_t inode;
    struct lazy_app_stamp stamp;
    struct lazy_settings settings;
    int socket_line; /* of the app file, that gives 'socket'; 0: none does */

    /* resolved: absolute paths, and the address as the start command gets it */
    const char *directory;
    const char *state_dir;
    const char *log;
    const char *socket;
    struct lazy_address address;

    /* The front's environment (NAME=value, NULL-terminated), of which the start command gets what
     * is on the allow list; set by the front, may be NULL. */
    char *const *environment;

    /* What the app's requests know from one another; the front's, may be NULL. */
    struct lazy_memo *memo;

    char text[LAZY_APP_FILE_MAX + 1];
    char paths[LAZY_APP_PATHS_MAX];
};

/* Where an app keeps its state whose file isn't our user's, if not beside it: several apps' files, so
 * it has a name for this one's that is unique there. */
struct lazy_home {
    const char *folder;
    const char *name;
};

/* Reads, checks and resolves the app file; `home` may be NULL, and must outlive the app. -1 with LAZY_APP when it is missing, unreadable, unsafe
 * (a group's or others' to write: whoever can write it can run commands as us) or malformed; the
 * sentence names file and line. */
int lazy_app_load(struct lazy_app *app, const char *file, const struct lazy_home *home,
                  struct lazy_error *error);

/* The stamp that the file has now. -1 and errno. */
int lazy_app_stamp(struct lazy_app_stamp *stamp, const char *file);

/* Is it the app's owner, ourselves or root? Others are neighbours on the same host. */
bool lazy_app_trusts(const struct lazy_app *app, uid_t user);

/* Puts <app> and a suffix into a buffer of NAME_MAX + 1 bytes: the name of one of the app's files
 * in its state folder. */
void lazy_app_file_name(const struct lazy_app *app, const char *suffix, char *name);

/* The same with the folder, in a buffer of LAZY_APP_PATHS_MAX bytes. */
void lazy_app_file_path(const struct lazy_app *app, const char *suffix, char *path);

#endif

/* Bytes kept for later: in memory, then in a temporary file that has no name. */
#ifndef LAZY_SPOOL_H
#define LAZY_SPOOL_H

#include "error.h"

#include <stddef.h>
#include <sys/types.h>

#define LAZY_SPOOL_MEMORY 65536

struct lazy_spool {
    const char *folder; /* for the temporary file */
    long long limit, length, position;
    int fd; /* -1: all in memory */
    char memory[LAZY_SPOOL_MEMORY];
};

/* An empty spool that takes up to `limit` bytes; its file, if it needs one, is made in `folder`. */
void lazy_spool_begin(struct lazy_spool *spool, const char *folder, long long limit);

/* Appends. -1: LAZY_BODY_LARGE over the limit, LAZY_SPOOL when there is no room. */
int lazy_spool_write(struct lazy_spool *spool, const char *bytes, size_t length,
                     struct lazy_error *error);

/* The next bytes, 0 at the end, -1 and errno. */
ssize_t lazy_spool_read(struct lazy_spool *spool, char *buffer, size_t size);

/* Reads from the beginning again. */
void lazy_spool_rewind(struct lazy_spool *spool);

/* Lets go of the file. */
void lazy_spool_end(struct lazy_spool *spool);

#endif

#include "spool.h"

#include "call.h"
#include "deadline.h"
#include "folder.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

void lazy_spool_begin(struct lazy_spool *spool, const char *folder, long long limit)
{
    spool->folder = folder;
    spool->limit = limit;
    spool->length = spool->position = 0;
    spool->fd = -1;
}

/* Without a name from the start where the system can (open(2), O_TMPFILE): nothing is left behind
 * by a request that is killed. */
static int open_file(const char *folder)
{
    char path[PATH_MAX];
    struct lazy_text text;
    int fd = -1;

#ifdef O_TMPFILE
    fd = lazy_call_open(AT_FDCWD, folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd >= 0)
        return fd;
#endif
    lazy_text_begin(&text, path, sizeof path);
    lazy_text_format(&text, "%s/lazyscgi-%lld-%lld", folder, (long long)getpid(), lazy_now());
    fd = lazy_folder_file(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int write_file(struct lazy_spool *spool, const char *bytes, size_t length, long long at)
{
    while (length > 0) {
        ssize_t wrote = pwrite(spool->fd, bytes, length, (off_t)at);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return -1;
        bytes += wrote;
        length -= (size_t)wrote;
        at += wrote;
    }
    return 0;
}

int lazy_spool_write(struct lazy_spool *spool, const char *bytes, size_t length,
                     struct lazy_error *error)
{
    if ((long long)length > spool->limit - spool->length)
        return lazy_error_set(error, LAZY_BODY_LARGE, 0,
                              "more than 'max-body' would have to be kept");
    if (spool->fd < 0 && spool->length + (long long)length <= LAZY_SPOOL_MEMORY) {
        memcpy(spool->memory + spool->length, bytes, length);
        spool->length += (long long)length;
        return 0;
    }
    if (spool->fd < 0) {
        spool->fd = open_file(spool->folder);
        if (spool->fd < 0 || write_file(spool, spool->memory, (size_t)spool->length, 0) < 0)
            return lazy_error_set(error, LAZY_SPOOL, errno, "no temporary file can be made in %s",
                                  spool->folder);
    }
    if (write_file(spool, bytes, length, spool->length) < 0)
        return lazy_error_set(error, LAZY_SPOOL, errno,
                              "no temporary file can be made in %s", spool->folder);
    spool->length += (long long)length;
    return 0;
}

ssize_t lazy_spool_read(struct lazy_spool *spool, char *buffer, size_t size)
{
    long long left = spool->length - spool->position;
    size_t length = left < (long long)size ? (size_t)left : size;
    ssize_t got = (ssize_t)length;

    if (spool->fd < 0)
        memcpy(buffer, spool->memory + spool->position, length);
    else
        while ((got = pread(spool->fd, buffer, length, (off_t)spool->position)) < 0 && errno == EINTR)
            ;
    if (got > 0)
        spool->position += got;
    return got;
}

void lazy_spool_rewind(struct lazy_spool *spool)
{
    spool->position = 0;
}

void lazy_spool_end(struct lazy_spool *spool)
{
    if (spool->fd >= 0)
        close(spool->fd);
    spool->fd = -1;
}

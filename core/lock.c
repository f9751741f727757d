#include "lock.h"

#include "call.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool lazy_lock_is_current(int folder, const char *name, int fd)
{
    struct stat held, named;

    return lazy_call_fstat(fd, &held) == 0 && lazy_call_stat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* flock, not fcntl: an fcntl lock belongs to the process, so that all threads of an httpd would hold
 * it. It belongs to the open file description, so each try opens the file anew. The file is never
 * unlinked: a holder of an unlinked one would guard nothing. */
enum lazy_lock lazy_lock_take(int folder, const char *name, int *fd, struct lazy_error *error)
{
    for (int tries = 0; tries < 100; tries++) {
        *fd = lazy_folder_file(folder, name, O_RDWR | O_CREAT);
        if (*fd < 0)
            break;
        if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
            if (lazy_lock_is_current(folder, name, *fd))
                return LAZY_LOCK_TAKEN;
        } else if (errno == EWOULDBLOCK) {
            close(*fd);
            return LAZY_LOCK_HELD;
        } else if (errno != EINTR) {
            int errnum = errno;
            close(*fd);
            errno = errnum;
            break;
        }
        close(*fd);
    }
    lazy_error_set(error, LAZY_FOLDER, errno, "the lock %s in the state folder can't be taken",
                   name);
    return LAZY_LOCK_ERROR;
}

void lazy_lock_release(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
}

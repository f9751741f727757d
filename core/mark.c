#include "mark.h"

#include "call.h"

#include <fcntl.h>
#include <signal.h>

#define PLACE 0x4c5a /* where nobody locks this one byte by chance */

/* fcntl, not flock: it tells whose lock it is, so that nobody who may read the file can keep a server
 * down; and a lock for reading, which needs no right to write. */
static int call(int mark, int command, struct flock *lock, short type)
{
    *lock = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = PLACE, .l_len = 1};
    return lazy_call_lock(mark, command, lock);
}

int lazy_mark_set(const char *file)
{
    int mark = lazy_call_open(AT_FDCWD, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    struct flock lock;

    if (mark >= 0)
        call(mark, F_SETLK, &lock, F_RDLCK);
    return mark;
}

bool lazy_mark_is_shared(int mark)
{
    struct flock lock;

    return call(mark, F_GETLK, &lock, F_WRLCK) == 0 && lock.l_type != F_UNLCK &&
           lock.l_start == PLACE && lock.l_pid > 0 && kill(lock.l_pid, 0) == 0;
}

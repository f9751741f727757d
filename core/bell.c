#include "bell.h"

#include "call.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_bell(int folder, const char *name, int flags)
{
    struct stat status;
    int fd = lazy_folder_file(folder, name, flags | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT && (mkfifoat(folder, name, 0600) == 0 || errno == EEXIST))
        fd = lazy_folder_file(folder, name, flags | O_NONBLOCK);
    if (fd >= 0 && (lazy_call_fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

int lazy_bell_listen(int folder, const char *name)
{
    return open_bell(folder, name, O_RDONLY);
}

/* For both directions: O_WRONLY would fail while nobody listens (fifo(7)). */
int lazy_bell_hold(int folder, const char *name)
{
    return open_bell(folder, name, O_RDWR);
}

#include "folder.h"

#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int lazy_folder_file(int folder, const char *name, int flags)
{
    return lazy_call_open(folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
}

/* Mode 0700 keeps other users out, but not an httpd that runs CGI programs as itself. */
static void deny_httpd(int folder)
{
    static const char text[] = "# made by lazyscgi\n"
                               "Require all denied\n";
    int fd = lazy_folder_file(folder, ".htaccess", O_WRONLY | O_CREAT | O_NONBLOCK);
    struct stat status;

    if (fd < 0)
        return;
    /* an empty one protects nothing: the disk was full, or who made it was killed */
    if (lazy_call_fstat(fd, &status) == 0 && status.st_size == 0 && write(fd, text, sizeof text - 1) < 0) {
        /* the next opener tries again */
    }
    close(fd);
}

static int refuse(int folder, const char *path, int errnum, const char *why, struct lazy_error *error)
{
    if (folder >= 0)
        close(folder);
    return lazy_error_set(error, LAZY_FOLDER, errnum, "the state folder %s %s", path, why);
}

int lazy_folder_open(const char *path, struct lazy_error *error)
{
    struct stat status;
    int folder, made = mkdir(path, 0700);

    if (made < 0 && errno != EEXIST)
        return refuse(-1, path, errno,
                      "can't be made; make it yourself (mode 0700) or set 'state-dir'", error);
    folder = lazy_call_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (folder < 0 && (errno == ELOOP || errno == ENOTDIR))
        return refuse(-1, path, 0, "is a link or no folder; remove it or set 'state-dir'", error);
    if (folder < 0 || lazy_call_fstat(folder, &status) < 0)
        return refuse(folder, path, errno, "can't be opened", error);
    if (status.st_uid != geteuid())
        return refuse(folder, path, 0, "belongs to another user; remove it or set 'state-dir'", error);
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return refuse(folder, path, 0, "can be written by others: chmod 700 it", error);
    deny_httpd(folder);
    return folder;
}

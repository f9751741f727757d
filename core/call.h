/* System calls without libc's wrappers. In a small static program (musl) each of those is larger than the
 * code that calls it, for the sake of old kernels and other layouts; without them the CGI program stays
 * below 40 KiB. Elsewhere these are libc's own. All return what the functions do, and set errno. */
#ifndef LAZY_CALL_H
#define LAZY_CALL_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Here libc's structures are the kernel's. */
#if defined __linux__ && defined __LP64__ && (defined __x86_64__ || defined __aarch64__)

static inline int lazy_call_openat(int folder, const char *path, int flags, int mode)
{
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static inline int lazy_call_stat(int folder, const char *path, struct stat *status, int flags)
{
    return (int)syscall(SYS_newfstatat, folder, path, status, flags);
}

static inline int lazy_call_fstat(int fd, struct stat *status)
{
    return (int)syscall(SYS_fstat, fd, status);
}

static inline int lazy_call_socket(int family, int type)
{
    return (int)syscall(SYS_socket, family, type, 0);
}

static inline int lazy_call_socketpair(int type, int *ends)
{
    return (int)syscall(SYS_socketpair, AF_UNIX, type, 0, ends);
}

static inline ssize_t lazy_call_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return syscall(SYS_sendmsg, fd, message, flags);
}

static inline int lazy_call_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

/* Gives a signal its default back. */
static inline void lazy_call_default(int number)
{
    static const struct {
        void *handler; /* SIG_DFL is NULL */
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } by_default; /* the kernel's, of either architecture */

    syscall(SYS_rt_sigaction, number, &by_default, NULL, sizeof by_default.mask);
}

static inline int lazy_call_getrlimit(int resource, struct rlimit *limit)
{
    return (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
}

static inline int lazy_call_setrlimit(int resource, const struct rlimit *limit)
{
    return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}

static inline int lazy_call_lock(int fd, int command, struct flock *lock)
{
    return (int)syscall(SYS_fcntl, fd, command, lock);
}

static inline int lazy_call_pipe_size(int fd, int size)
{
    return (int)syscall(SYS_fcntl, fd, F_SETPIPE_SZ, size);
}

static inline ssize_t lazy_call_splice(int from, int to, size_t length)
{
    return syscall(SYS_splice, from, NULL, to, NULL, length, 0);
}

static inline int lazy_call_times(int folder, const char *path, const struct timespec *times, int flags)
{
    return (int)syscall(SYS_utimensat, folder, path, times, flags);
}

static inline bool lazy_call_getcwd(char *path, size_t size)
{
    return syscall(SYS_getcwd, path, size) > 0;
}

#else
#define lazy_call_openat(folder, path, flags, mode) openat(folder, path, flags, mode)
#define lazy_call_stat(folder, path, status, flags) fstatat(folder, path, status, flags)
#define lazy_call_fstat(fd, status) fstat(fd, status)
#define lazy_call_socket(family, type) socket(family, type, 0)
#define lazy_call_socketpair(type, ends) socketpair(AF_UNIX, type, 0, ends)
#define lazy_call_sendmsg(fd, message, flags) sendmsg(fd, message, flags)
#define lazy_call_setsockopt(fd, level, name, value, length) setsockopt(fd, level, name, value, length)
#define lazy_call_default(number) signal(number, SIG_DFL)
#define lazy_call_getrlimit(resource, limit) getrlimit(resource, limit)
#define lazy_call_setrlimit(resource, limit) setrlimit(resource, limit)
#define lazy_call_lock(fd, command, lock) fcntl(fd, command, lock)
#define lazy_call_pipe_size(fd, size) fcntl(fd, F_SETPIPE_SZ, size)
#define lazy_call_splice(from, to, length) splice(from, NULL, to, NULL, length, 0)
#define lazy_call_times(folder, path, times, flags) utimensat(folder, path, times, flags)
#define lazy_call_getcwd(path, size) (getcwd(path, size) != NULL)
#endif

/* Goes on after a signal. */
static inline int lazy_call_open(int folder, const char *path, int flags, int mode)
{
    int fd;

    do
        fd = lazy_call_openat(folder, path, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

#if defined __LP64__ && defined __linux__ && !defined __GLIBC__ /* without its way through the vDSO */
#define lazy_call_clock(clock, now) syscall(SYS_clock_gettime, clock, now)
#else
#define lazy_call_clock(clock, now) clock_gettime(clock, now)
#endif

#endif

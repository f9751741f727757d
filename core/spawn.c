#include "spawn.h"

#include "call.h"
#include "folder.h"
#include "variables.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined LAZY_STATIC && defined __linux__ && (defined __x86_64__ || defined __aarch64__)
#define FORK() ((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) /* one thread: no locks to care for */
#elif defined HAVE__FORK
#define FORK _Fork /* POSIX.1-2024: without handlers and locks that others have registered */
#else
#define FORK fork
#endif

#define CANT_RUN 126        /* sh's exit status for a command that was found but can't be run */

/* The limits httpd lowers for CGI programs (RLimitCPU and its kin) and those like them, which would
 * end a server that lives longer than a request. Not the stack (unlimited changes the memory layout
 * and the default of threads), not core files (they would land in a served folder), not descriptors
 * (servers size tables by that limit, and the hard one can be 2^30). */
static const int raised[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS,
#ifdef RLIMIT_NPROC
                             RLIMIT_NPROC,
#endif
#ifdef RLIMIT_RSS
                             RLIMIT_RSS,
#endif
#ifdef RLIMIT_MEMLOCK
                             RLIMIT_MEMLOCK,
#endif
};

static void raise_limits(void)
{
    for (size_t i = 0; i < sizeof raised / sizeof *raised; i++) {
        struct rlimit limit;

        if (lazy_call_getrlimit(raised[i], &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            lazy_call_setrlimit(raised[i], &limit);
        }
    }
}

/* A handler of httpd's must not run here, and what it ignores or blocks a server would ignore for
 * ever: SIGTERM could not stop it. */
static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        lazy_call_default(number);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_range_of(unsigned first, unsigned last)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, last, 0) == 0)
        return;
#endif
    /* before Linux 5.9 */
    struct rlimit limit;

    if (lazy_call_getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
        limit.rlim_cur = INT_MAX;
    for (; first <= last && first < limit.rlim_cur; first++)
        close((int)first);
}

/* Closes all descriptors from 3 up but those in `keep`. */
static void close_except(const int *keep, int keep_count)
{
    unsigned first = 3;

    for (;;) {
        unsigned next = UINT_MAX;

        for (int i = 0; i < keep_count; i++)
            if ((unsigned)keep[i] >= first && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        if (next == UINT_MAX)
            break;
        if (next > first)
            close_range_of(first, next - 1);
        first = next + 1;
    }
    close_range_of(first, UINT_MAX);
}

/* Descriptors 0 to 2; `output` is for 1 and 2. */
static void set_standard(int input, int output)
{
    if (input != 0)
        dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
}

static void run_detached(void (*run)(void *context), void *context, const int *keep, int keep_count)
{
    int null;

    setsid();
    reset_signals();
    null = lazy_call_open(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (null < 0)
        _exit(CANT_RUN);
    set_standard(null, null);
    close_except(keep, keep_count);
    run(context);
    _exit(0);
}

int lazy_spawn_detached(void (*run)(void *context), void *context, const int *keep, int keep_count)
{
    int status = 0;
    sigset_t all, before;
    pid_t middle;

    /* httpd may be large: so its memory is copied only once; and no handler may run in a child that shares it */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    middle = vfork();
    if (middle == 0) {
        /* an errno fits an exit status on every system we know */
        pid_t child = FORK();
        if (child == 0)
            run_detached(run, context, keep, keep_count);
        _exit(child < 0 ? errno : 0);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (middle < 0)
        return -1;
    /* ECHILD: somebody in this process ignores SIGCHLD or waits for everything; then the kernel or
     * he has reaped it, and a fork that failed shows in the link that closes */
    while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        errno = WEXITSTATUS(status);
        return -1;
    }
    return 0;
}

int lazy_spawn_log(const struct lazy_app *app)
{
    /* a FIFO would hold us until it has a reader, or, with O_NONBLOCK, lose what the server says; and a
     * neighbour would read it */
    int fd = lazy_folder_file(AT_FDCWD, app->log, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
    struct stat status;

    if (fd >= 0 && (lazy_call_fstat(fd, &status) < 0 || S_ISFIFO(status.st_mode) ||
                    !lazy_app_trusts(app, status.st_uid))) {
        close(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

void lazy_spawn_note(int log, const char *sentence)
{
    struct iovec parts[3] = {
        {(char *)"lazyscgi: ", 10}, {(char *)sentence, strlen(sentence)}, {(char *)"\n", 1}};

    if (writev(log, parts, 3) < 0) {
        /* nobody is left to tell */
    }
}

/* Tells the app's log why nothing was run. */
static void complain(const char *what, const char *name)
{
    struct lazy_error error;

    lazy_error_set(&error, LAZY_START, errno, "%s%s", what, name);
    lazy_spawn_note(2, error.sentence);
    _exit(CANT_RUN);
}

static void run_command(const struct lazy_app *app, const char *command, int log,
                        int (*prepare)(void *context), void *context)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    struct lazy_variables variables;

    setsid();
    reset_signals();
    set_standard(0, log); /* the starter's own stdin is /dev/null already */
    if (prepare != NULL && prepare(context) < 0)
        complain("can't write the state in ", app->state_dir);
    close_except(NULL, 0);
    raise_limits();
    umask(umask(022) | 022);
    lazy_variables_set(&variables, app);
    if (chdir(app->directory) < 0)
        complain("can't enter the folder ", app->directory);
    execve("/bin/sh", arguments, variables.list);
    complain("can't run ", "/bin/sh");
}

pid_t lazy_spawn_command(const struct lazy_app *app, const char *command, int log,
                         int (*prepare)(void *context), void *context)
{
    int ready[2], errnum;
    char nothing;
    pid_t child;

    if (lazy_call_socketpair(SOCK_STREAM | SOCK_CLOEXEC, ready) < 0)
        return -1;
    child = FORK();
    errnum = errno;
    if (child == 0) {
        close(ready[0]); /* ready[1] goes with all the others */
        run_command(app, command, log, prepare, context);
    }
    close(ready[1]);
    while (child > 0 && recv(ready[0], &nothing, 1, 0) < 0 && errno == EINTR)
        ;
    close(ready[0]);
    errno = errnum;
    return child;
}

#include "unit.h"

#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int nothing_to_do(void *context)
{
    (void)context;
    return 0;
}

/* Runs the app's start command to its end; the exit status. */
static int run_start(const struct lazy_app *app, int (*prepare)(void *context))
{
    int log = lazy_spawn_log(app), status;
    pid_t child = lazy_spawn_command(app, app->settings.start, log, prepare, NULL);

    ck_assert_int_ge(log, 0);
    ck_assert_int_gt(child, 0);
    close(log);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The signals of a set in the log, less the C library's own: sigaction(2) won't touch those, and glibc's
 * posix_spawn (so make) leaves them ignored. */
static unsigned long long signals_in(const char *log, const char *set)
{
    const char *at = strstr(log, set);

    ck_assert_ptr_nonnull(at);
    return strtoull(at + strlen(set), NULL, 16) & ~(7ULL << 31);
}

START_TEST(command_runs_clean)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    struct rlimit limit, lowered;
    sigset_t all, mask;
    mode_t old = umask(077);
    int spare = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC, as a careless host's */
    struct lazy_app *app = unit_app(
        "log = log\n"
        "start = ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0; umask; pwd; "
        "grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -t; "
        "test $$ = $(ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat) && echo leads\n");

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask);
    sigaction(SIGTERM, &ignore, &before);
    ck_assert_int_eq(getrlimit(RLIMIT_CPU, &limit), 0);
    lowered = limit;
    lowered.rlim_cur = 1000;
    ck_assert_int_eq(setrlimit(RLIMIT_CPU, &lowered), 0);
    ck_assert_int_eq(run_start(app, nothing_to_do), 0);
    setrlimit(RLIMIT_CPU, &limit);
    sigaction(SIGTERM, &before, NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    umask(old);
    close(spare);

    ck_assert_ptr_nonnull(strstr(unit_read("log"), "0 1 2 3 /dev/null\n0077\n")); /* 3: ls itself */
    ck_assert_ptr_nonnull(strstr(unit_read("log"), app->directory));
    ck_assert_uint_eq(signals_in(unit_read("log"), "SigBlk:\t"), 0);
    ck_assert_uint_eq(signals_in(unit_read("log"), "SigIgn:\t"), 0);
    ck_assert_ptr_null(strstr(unit_read("log"), "\n1000\n"));
    ck_assert_ptr_nonnull(strstr(unit_read("log"), "leads\n"));
}
END_TEST

static int prepare_mark(void *context)
{
    (void)context;
    unit_write("prepared", "x", 0600);
    return 0;
}

START_TEST(what_is_prepared_comes_first)
{
    struct lazy_app *app = unit_app("log = log\nstart = test -e prepared\n");

    ck_assert_int_eq(run_start(app, prepare_mark), 0);
}
END_TEST

static int prepare_fails(void *context)
{
    (void)context;
    errno = ENOSPC;
    return -1;
}

START_TEST(a_command_that_is_not_prepared_does_not_run)
{
    struct lazy_app *app = unit_app("log = log\nstart = touch ran\n");

    ck_assert_int_eq(run_start(app, prepare_fails), 126);
    ck_assert_int_eq(access("ran", F_OK), -1);
    ck_assert_ptr_nonnull(strstr(unit_read("log"), "No space left"));
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
    struct lazy_app *app = unit_app("log = log\nstart = true\ndirectory = nowhere\n");

    ck_assert_int_eq(run_start(app, nothing_to_do), 126);
    ck_assert_ptr_nonnull(strstr(unit_read("log"), "nowhere: No such file"));
}
END_TEST

START_TEST(log_is_appended_and_private)
{
    struct lazy_app *app = unit_app("log = log\nstart = echo more\n");
    struct stat status;

    ck_assert_int_eq(run_start(app, nothing_to_do), 0);
    ck_assert_int_eq(run_start(app, nothing_to_do), 0);
    ck_assert_str_eq(unit_read("log"), "more\nmore\n");
    ck_assert_int_eq(stat("log", &status), 0);
    ck_assert_int_eq(status.st_mode & 077, 0);
}
END_TEST

START_TEST(log_that_is_none)
{
    struct lazy_app *app = unit_app("log = log\nstart = true\n");

    ck_assert_int_eq(symlink("elsewhere", "log"), 0);
    ck_assert_int_eq(lazy_spawn_log(app), -1);
    ck_assert_int_eq(unlink("log"), 0);
    ck_assert_int_eq(mkfifo("log", 0600), 0); /* without a reader: must not wait for one */
    ck_assert_int_eq(lazy_spawn_log(app), -1);
    ck_assert_int_eq(unlink("log"), 0);
    ck_assert_int_eq(mkdir("log", 0700), 0);
    ck_assert_int_eq(lazy_spawn_log(app), -1);
}
END_TEST

static void tell_about_self(void *context)
{
    const int *link = context;
    char text[64];
    int length = snprintf(text, sizeof text, "%d %d %d %d", getppid() != getpgrp(),
                          getsid(0) == getpid(), fcntl(*link, F_GETFD) >= 0, unit_descriptors());

    if (write(*link, text, (size_t)length) != length)
        _exit(1);
}

/* The detached process: its own session, what it is to keep and 0, 1, 2, and no child left to us. */
START_TEST(detached)
{
    int link[2], spare[2];
    char text[64] = "";

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link), 0);
    ck_assert_int_eq(pipe(spare), 0);
    ck_assert_int_eq(lazy_spawn_detached(tell_about_self, &link[1], &link[1], 1), 0);
    close(link[1]);
    ck_assert_int_gt(read(link[0], text, sizeof text - 1), 0);
    ck_assert_str_eq(text, "1 1 1 4");
    ck_assert_int_eq(read(link[0], text, sizeof text), 0); /* it has ended */
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    close(link[0]);
    close(spare[0]);
    close(spare[1]);
}
END_TEST

Suite *spawn_suite(void)
{
    Suite *suite = suite_create("spawn");
    TCase *tcase = unit_case(suite, "spawn");

    tcase_add_test(tcase, command_runs_clean);
    tcase_add_test(tcase, what_is_prepared_comes_first);
    tcase_add_test(tcase, a_command_that_is_not_prepared_does_not_run);
    tcase_add_test(tcase, a_folder_that_is_not_there);
    tcase_add_test(tcase, log_is_appended_and_private);
    tcase_add_test(tcase, log_that_is_none);
    tcase_add_test(tcase, detached);
    return suite;
}

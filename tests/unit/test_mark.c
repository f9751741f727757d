#include "unit.h"

#include "core/mark.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int mark, descriptors;

static void begin(void)
{
    descriptors = unit_descriptors();
    unit_write("app.cgi", "start = true", 0644);
    mark = lazy_mark_set("app.cgi");
    ck_assert_int_ge(mark, 0);
}

static void end(void)
{
    close(mark);
    ck_assert_int_eq(unit_descriptors(), descriptors);
}

static int mark_too(void)
{
    return lazy_mark_set("app.cgi");
}

/* As an editor or a file server may do it. */
static int lock_all(void)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int fd = open("app.cgi", O_RDONLY | O_CLOEXEC);

    return fcntl(fd, F_SETLK, &lock) == 0 ? fd : -1;
}

/* Another process that holds what `hold` makes; returns when it does. */
static pid_t another(int (*hold)(void), uid_t user)
{
    int ready[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        if ((user != geteuid() && setuid(user) < 0) || hold() < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void finish(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(it_lasts_as_long_as_its_process)
{
    pid_t other;

    ck_assert(!lazy_mark_is_shared(mark));
    other = another(mark_too, geteuid());
    ck_assert(lazy_mark_is_shared(mark));
    finish(other);
    ck_assert(!lazy_mark_is_shared(mark));
}
END_TEST

START_TEST(it_outlives_the_name)
{
    pid_t other = another(mark_too, geteuid());

    ck_assert_int_eq(rename("app.cgi", "old"), 0);
    ck_assert(lazy_mark_is_shared(mark));
    finish(other);
}
END_TEST

START_TEST(other_locks_are_none)
{
    pid_t other = another(lock_all, geteuid());

    ck_assert(!lazy_mark_is_shared(mark));
    finish(other);
}
END_TEST

static bool is_not_shared(void)
{
    int own = lazy_mark_set("app.cgi");
    bool is_shared = lazy_mark_is_shared(own);

    close(own);
    return !is_shared;
}

/* Who may read the app file can't keep its server down. */
START_TEST(strangers_have_none)
{
    pid_t other;

    if (geteuid() != 0)
        return; /* nobody else can be had */
    close(mark); /* root's would be seen */
    mark = -1;
    ck_assert_int_eq(chmod(".", 0755), 0);
    other = another(mark_too, 1);
    ck_assert(unit_as_user(is_not_shared));
    finish(other);
}
END_TEST

START_TEST(without_a_file_there_is_none)
{
    int none = lazy_mark_set("missing");

    ck_assert_int_eq(none, -1);
    ck_assert(!lazy_mark_is_shared(none));
}
END_TEST

Suite *mark_suite(void)
{
    Suite *suite = suite_create("mark");
    TCase *tcase = unit_case(suite, "mark");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, it_lasts_as_long_as_its_process);
    tcase_add_test(tcase, it_outlives_the_name);
    tcase_add_test(tcase, other_locks_are_none);
    tcase_add_test(tcase, strangers_have_none);
    tcase_add_test(tcase, without_a_file_there_is_none);
    return suite;
}

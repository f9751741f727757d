#include "unit.h"

#include "core/bell.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool rings(int bell, int timeout)
{
    struct pollfd waiting = {.fd = bell, .events = POLLIN};

    return poll(&waiting, 1, timeout) == 1 && (waiting.revents & POLLHUP);
}

START_TEST(rings_when_the_last_holder_has_gone)
{
    int listener = lazy_bell_listen(AT_FDCWD, "bell");
    int holder = lazy_bell_hold(AT_FDCWD, "bell"), copy = dup(holder);

    ck_assert_int_ge(listener, 0);
    ck_assert_int_ge(holder, 0);
    ck_assert(!rings(listener, 0));
    close(holder);
    ck_assert(!rings(listener, 0));
    close(copy);
    ck_assert(rings(listener, 0));
    close(listener);
}
END_TEST

START_TEST(rings_for_a_killed_holder)
{
    int listener = lazy_bell_listen(AT_FDCWD, "bell"), gate[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(gate), 0);
    child = fork();
    if (child == 0) {
        int holder = lazy_bell_hold(AT_FDCWD, "bell");

        if (write(gate[1], "", 1) == 1)
            pause();
        _exit(holder);
    }
    ck_assert_int_eq(read(gate[0], &byte, 1), 1);
    ck_assert(!rings(listener, 0));
    kill(child, SIGKILL);
    ck_assert(rings(listener, 10000));
    waitpid(child, NULL, 0);
    close(gate[0]);
    close(gate[1]);
    close(listener);
}
END_TEST

START_TEST(a_new_listener_hears_the_next_holder)
{
    int first = lazy_bell_listen(AT_FDCWD, "bell"), second;

    close(lazy_bell_hold(AT_FDCWD, "bell"));
    ck_assert(rings(first, 0));
    second = lazy_bell_listen(AT_FDCWD, "bell");
    ck_assert(!rings(second, 0)); /* that ring was not for it */
    close(lazy_bell_hold(AT_FDCWD, "bell"));
    ck_assert(rings(second, 0));
    close(first);
    close(second);
}
END_TEST

START_TEST(is_private_and_no_link)
{
    struct stat status;
    int bell = lazy_bell_hold(AT_FDCWD, "bell");

    ck_assert_int_eq(fstat(bell, &status), 0);
    ck_assert(S_ISFIFO(status.st_mode));
    ck_assert_int_eq(status.st_mode & 077, 0);
    close(bell);
    ck_assert_int_eq(symlink("bell", "link"), 0);
    ck_assert_int_eq(lazy_bell_listen(AT_FDCWD, "link"), -1);
}
END_TEST

START_TEST(a_plain_file_is_no_bell)
{
    unit_write("bell", "x", 0600);
    ck_assert_int_eq(lazy_bell_listen(AT_FDCWD, "bell"), -1);
    ck_assert_int_eq(lazy_bell_hold(AT_FDCWD, "bell"), -1);
    ck_assert_str_eq(unit_read("bell"), "x");
}
END_TEST

Suite *bell_suite(void)
{
    Suite *suite = suite_create("bell");
    TCase *tcase = unit_case(suite, "bell");

    tcase_add_test(tcase, rings_when_the_last_holder_has_gone);
    tcase_add_test(tcase, rings_for_a_killed_holder);
    tcase_add_test(tcase, a_new_listener_hears_the_next_holder);
    tcase_add_test(tcase, is_private_and_no_link);
    tcase_add_test(tcase, a_plain_file_is_no_bell);
    return suite;
}

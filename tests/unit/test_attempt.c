#include "unit.h"

#include "core/attempt.h"
#include "core/deadline.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lazy_error error;
static const struct lazy_front nobody = {.visitor = -1};

static struct lazy_attempt attempt_of(const struct lazy_app *app, const struct lazy_front *front)
{
    return (struct lazy_attempt){.app = app, .front = front, .error = &error,
                                 .fd = -1, .folder = -1, .bell = -1};
}

START_TEST(up_and_down)
{
    struct lazy_attempt attempt = attempt_of(unit_app("socket = ./x.sock\n"), &nobody);
    int listener, before = unit_descriptors();

    ck_assert_int_eq(lazy_attempt_reach(&attempt, 0), LAZY_DOWN);
    ck_assert_int_eq(attempt.fd, -1);
    listener = unit_listen("x.sock", 5);
    for (int i = 0; i < 3; i++) /* each closes the connection of the one before */
        ck_assert_int_eq(lazy_attempt_reach(&attempt, 0), LAZY_UP);
    ck_assert_int_eq(unit_descriptors(), before + 2);
    close(listener);
    ck_assert_int_eq(lazy_attempt_reach(&attempt, 0), LAZY_DOWN); /* the socket's file is left over */
    ck_assert_int_eq(unit_descriptors(), before);
}
END_TEST

START_TEST(a_file_that_is_no_socket)
{
    struct lazy_attempt attempt = attempt_of(unit_app("socket = ./x.sock\n"), &nobody);

    unit_write("x.sock", "precious", 0600);
    ck_assert_int_eq(lazy_attempt_reach(&attempt, 0), LAZY_LOST);
    ck_assert_int_eq(error.failure, LAZY_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(error.sentence, "no socket"));
    ck_assert_str_eq(unit_read("x.sock"), "precious");
}
END_TEST

/* Listens as another user until killed. */
static pid_t serve_as_nobody(void)
{
    int gate[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(gate), 0);
    child = fork();
    if (child == 0) {
        if (setuid(65534) < 0 || unit_listen("x.sock", 5) < 0 || chmod("x.sock", 0777) < 0 ||
            write(gate[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    ck_assert_int_eq(read(gate[0], &byte, 1), 1);
    close(gate[0]);
    close(gate[1]);
    return child;
}

START_TEST(another_users_server)
{
    struct lazy_app *app = unit_app("socket = ./x.sock\n");
    struct lazy_attempt attempt = attempt_of(app, &nobody);
    pid_t other;

    if (geteuid() != 0) {
        puts("test_attempt.c: another user's server is left out: it takes root to have another user");
        return;
    }
    ck_assert_int_eq(chmod(".", 0777), 0);
    other = serve_as_nobody();
    ck_assert_int_eq(lazy_attempt_reach(&attempt, 0), LAZY_LOST);
    ck_assert_int_eq(attempt.fd, -1);
    ck_assert_int_eq(error.failure, LAZY_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(error.sentence, "another user (65534)"));
    app->owner = 65534;
    ck_assert_int_eq(lazy_attempt_reach(&attempt, 0), LAZY_UP);
    lazy_attempt_drop(&attempt);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}
END_TEST

START_TEST(sleeping)
{
    int visitor[2], other[2];
    struct lazy_front front;
    struct lazy_attempt attempt = attempt_of(unit_app("start = true\n"), &front);
    long long begin;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, visitor), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other), 0);
    front = (struct lazy_front){.visitor = visitor[0]};
    begin = lazy_now();
    ck_assert_int_eq(lazy_attempt_sleep(&attempt, other[0], 30), 0);
    ck_assert_int_ge(lazy_now() - begin, 29);
    ck_assert_int_eq(write(visitor[1], "more", 4), 4); /* a visitor who says more hasn't gone */
    ck_assert_int_eq(lazy_attempt_sleep(&attempt, -1, 0), 0);
    ck_assert_int_eq(write(other[1], "x", 1), 1);
    ck_assert_int_eq(lazy_attempt_sleep(&attempt, other[0], 10000), 1);
    close(visitor[1]);
    ck_assert_int_eq(lazy_attempt_sleep(&attempt, -1, 10000), -1);
    ck_assert_int_eq(error.failure, LAZY_VISITOR_GONE);
    close(visitor[0]);
    close(other[0]);
    close(other[1]);
}
END_TEST

START_TEST(out_of_patience)
{
    struct lazy_app *app = unit_app("start = true\npatience = 1500ms\n");
    struct lazy_attempt attempt = attempt_of(app, &nobody);

    ck_assert_int_eq(lazy_attempt_out_of_patience(&attempt), LAZY_ATTEMPT_FAILED);
    ck_assert_int_eq(error.failure, LAZY_PATIENCE);
    ck_assert_int_gt(error.retry_after, 0);
    ck_assert_ptr_nonnull(strstr(error.sentence, "1500ms"));
    ck_assert_ptr_nonnull(strstr(error.sentence, app->log));
}
END_TEST

Suite *attempt_suite(void)
{
    Suite *suite = suite_create("attempt");
    TCase *tcase = unit_case(suite, "attempt");

    tcase_add_test(tcase, up_and_down);
    tcase_add_test(tcase, a_file_that_is_no_socket);
    tcase_add_test(tcase, another_users_server);
    tcase_add_test(tcase, sleeping);
    tcase_add_test(tcase, out_of_patience);
    return suite;
}

#include "unit.h"

#include "core/deadline.h"
#include "core/watch.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct lazy_starter starter;
static int leader; /* its end of the link */

/* A starter that has just begun to watch `command`. */
static void begin(const char *text, pid_t command)
{
    int link[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link), 0);
    leader = link[0];
    starter = (struct lazy_starter){.app = unit_app(text), .folder = -1, .lock = -1, .link = link[1]};
    starter.state.exit_status = -1;
    starter.state.started = time(NULL);
    starter.state.command.pid = command;
    starter.state.command.start = lazy_process_start(command);
}

static void end(void)
{
    if (starter.state.command.pid > 0) {
        kill(starter.state.command.pid, SIGKILL);
        waitpid(starter.state.command.pid, NULL, 0);
    }
    if (starter.link >= 0)
        close(starter.link);
    if (leader >= 0)
        close(leader);
}

static void leader_goes(void)
{
    close(leader);
    leader = -1;
}

static pid_t command_that_exits(int status)
{
    pid_t child = fork();

    if (child == 0)
        _exit(status);
    return child;
}

static pid_t command_that_stays(void)
{
    pid_t child = fork();

    if (child == 0)
        for (;;)
            pause();
    return child;
}

static const char forever[] = "start = true\nsocket = ./x.sock\nstart-timeout = 1m\n";

START_TEST(exit_status)
{
    static const struct {
        int status;
        const char *reason;
    } cases[] = {{3, "status 3"}, {126, "can't be run"}, {127, "not found"}};

    for (int i = 0; i < 3; i++) {
        begin(forever, command_that_exits(cases[i].status));
        ck_assert_int_eq(lazy_watch(&starter, true), LAZY_WATCH_FAILED);
        ck_assert_int_eq(starter.state.exit_status, cases[i].status);
        ck_assert_ptr_nonnull(strstr(starter.state.reason, cases[i].reason));
        end();
    }
}
END_TEST

START_TEST(signalled)
{
    begin(forever, command_that_stays());
    kill(starter.state.command.pid, SIGKILL);
    ck_assert_int_eq(lazy_watch(&starter, true), LAZY_WATCH_FAILED);
    ck_assert_int_eq(starter.state.signal, SIGKILL);
    ck_assert_int_eq(starter.state.exit_status, -1);
    ck_assert_ptr_nonnull(strstr(starter.state.reason, "signal 9"));
    end();
}
END_TEST

START_TEST(too_slow)
{
    for (int stays = 0; stays < 2; stays++) {
        begin("start = true\nsocket = ./x.sock\nstart-timeout = 100ms\n",
              stays ? command_that_stays() : command_that_exits(0));
        ck_assert_int_eq(lazy_watch(&starter, true), LAZY_WATCH_FAILED);
        ck_assert_ptr_nonnull(strstr(starter.state.reason, "100ms"));
        end();
    }
}
END_TEST

START_TEST(the_leader_has_met_the_server)
{
    pid_t server = 4711;

    begin(forever, command_that_stays());
    ck_assert_int_eq(send(leader, &server, sizeof server, 0), sizeof server);
    ck_assert_int_eq(lazy_watch(&starter, true), LAZY_WATCH_UP);
    ck_assert_int_eq(starter.state.server.pid, server);
    end();
}
END_TEST

/* With the leader gone the starter itself looks for the server. */
START_TEST(the_leader_has_gone)
{
    int listener;

    begin(forever, command_that_exits(0));
    listener = unit_listen("x.sock", 5);
    leader_goes();
    ck_assert_int_eq(lazy_watch(&starter, true), LAZY_WATCH_UP);
    close(listener);
    end();
}
END_TEST

START_TEST(a_start_of_an_earlier_starter)
{
    int listener;

    begin(forever, command_that_stays());
    leader_goes();
    listener = unit_listen("x.sock", 5);
    ck_assert_int_eq(lazy_watch(&starter, false), LAZY_WATCH_UP);
    close(listener);
    end();

    begin(forever, command_that_stays()); /* its time was over long ago */
    starter.state.started -= 3600;
    ck_assert_int_eq(lazy_watch(&starter, false), LAZY_WATCH_FAILED);
    end();

    begin(forever, 0); /* it isn't there any more, and has had its time for leaving a server */
    starter.state.started -= 3600;
    ck_assert_int_eq(lazy_watch(&starter, false), LAZY_WATCH_VANISHED);
    end();
}
END_TEST

START_TEST(a_command_that_vanished_may_have_left_a_server)
{
    long long before = lazy_now();

    begin(forever, 0);
    ck_assert_int_eq(lazy_watch(&starter, false), LAZY_WATCH_VANISHED);
    ck_assert_int_ge(lazy_now() - before, 4900);
    end();
}
END_TEST

/* Leads a session, leaves somebody in it who listens after `ms`, and exits. */
static pid_t command_that_leaves(int ms)
{
    pid_t child = fork();

    if (child > 0)
        return child;
    setsid();
    if (fork() > 0)
        _exit(0);
    usleep((useconds_t)ms * 1000);
    unit_listen("x.sock", 5);
    for (;;)
        pause();
}

START_TEST(a_session_that_lives_may_become_the_server)
{
    begin(forever, command_that_leaves(5500));
    leader_goes();
    unit_wait(!lazy_process_alive(&starter.state.command));
    ck_assert_int_eq(lazy_watch(&starter, false), LAZY_WATCH_UP);
    kill(-starter.state.command.pid, SIGKILL);
    end();
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = unit_case(suite, "watch");

    tcase_add_test(tcase, exit_status);
    tcase_add_test(tcase, signalled);
    tcase_add_test(tcase, too_slow);
    tcase_add_test(tcase, the_leader_has_met_the_server);
    tcase_add_test(tcase, the_leader_has_gone);
    tcase_add_test(tcase, a_start_of_an_earlier_starter);
    tcase_add_test(tcase, a_command_that_vanished_may_have_left_a_server);
    tcase_add_test(tcase, a_session_that_lives_may_become_the_server);
    return suite;
}

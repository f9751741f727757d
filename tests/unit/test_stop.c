#include "unit.h"

#include "core/deadline.h"
#include "core/folder.h"
#include "core/stop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that leads its own session, with a child in it; returns when both are there. */
static struct lazy_process session(void (*on_term)(int))
{
    struct lazy_process leader;
    int gate[2];
    char byte;

    ck_assert_int_eq(pipe(gate), 0);
    leader.pid = fork();
    if (leader.pid == 0) {
        setsid();
        signal(SIGTERM, on_term);
        if (fork() < 0 || write(gate[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(read(gate[0], &byte, 1), 1);
    close(gate[0]);
    close(gate[1]);
    leader.start = lazy_process_start(leader.pid);
    return leader;
}

/* An app whose log can be opened. */
static struct lazy_app *app_with(const char *text)
{
    struct lazy_app *app = unit_app(text);
    struct lazy_error error;
    int folder = lazy_folder_open(app->state_dir, &error);

    ck_assert_int_ge(folder, 0);
    close(folder);
    return app;
}

static bool is_gone(const struct lazy_process *process)
{
    return kill(-process->pid, 0) < 0 && !lazy_process_alive(process);
}

START_TEST(a_session_ends_by_term)
{
    struct lazy_state state = {.command = session(SIG_DFL), .exit_status = -1};

    lazy_stop_start(unit_app("start = true"), &state);
    ck_assert(is_gone(&state.command));
}
END_TEST

START_TEST(a_stubborn_session_is_killed)
{
    struct lazy_state state = {.command = session(SIG_IGN), .exit_status = -1};

    lazy_stop_start(unit_app("start = true"), &state);
    unit_wait(is_gone(&state.command)); /* once process 1 has got round to the orphans */
}
END_TEST

/* It gets its TERM, and what it needs to heed it. */
START_TEST(a_session_that_was_stopped_ends_by_term)
{
    struct lazy_state state = {.command = session(SIG_DFL)};
    long long begin = lazy_now();

    kill(-state.command.pid, SIGSTOP);
    lazy_stop_server(unit_app("start = true"), &state);
    ck_assert(is_gone(&state.command));
    ck_assert_int_lt(lazy_now() - begin, 5000); /* the grace before KILL */
}
END_TEST

START_TEST(the_recorded_session_is_stopped)
{
    struct lazy_state state = {.command = session(SIG_DFL)};

    lazy_stop_server(unit_app("start = true"), &state);
    ck_assert(is_gone(&state.command));
}
END_TEST

/* A server that has left the session of its start command; and one that is there beside it. */
START_TEST(whoever_listened_is_stopped_too)
{
    struct lazy_process server = session(SIG_DFL), command = {.pid = server.pid, .start = server.start + 1};
    struct lazy_state state = {.command = _i ? session(SIG_DFL) : command, .server = server};

    lazy_stop_server(unit_app("start = true"), &state);
    ck_assert(is_gone(&server));
    ck_assert(is_gone(&state.command));
}
END_TEST

/* A pid that has come round is left alone. */
START_TEST(strangers_are_left_alone)
{
    struct lazy_process server = session(SIG_DFL), reused = {.pid = server.pid, .start = server.start + 1};
    struct lazy_state state = {.command = reused, .server = reused};

    lazy_stop_server(unit_app("start = true"), &state);
    ck_assert(lazy_process_alive(&server));
    kill(-server.pid, SIGKILL);
}
END_TEST

START_TEST(nobody_is_nobody)
{
    static const pid_t never[] = {0, 1, -1};

    for (int i = 0; i < 3; i++) { /* as pids of kill(2) they would mean us, init, everybody */
        struct lazy_process process = {.pid = never[i], .start = 1};
        struct lazy_state state = {.command = process, .server = process, .exit_status = -1};

        lazy_stop_start(unit_app("start = true"), &state);
        lazy_stop_server(unit_app("start = true"), &state);
    }
}
END_TEST

/* The owner's command comes first, and knows what lazyscgi does not; its environment is the start's. */
START_TEST(the_owners_stop_is_run)
{
    struct lazy_process server = session(SIG_DFL);
    struct lazy_state state = {.command = {.pid = server.pid, .start = server.start + 1}};
    char text[256];

    snprintf(text, sizeof text, "start = true\nstop = kill -9 -%d; echo $LAZYSCGI_SOCKET >stopped\n",
             (int)server.pid);
    lazy_stop_server(app_with(text), &state);
    unit_wait(!lazy_process_alive(&server));
    ck_assert_ptr_nonnull(strstr(unit_read("stopped"), "/app.cgi.sock"));
}
END_TEST

/* A stop that hangs, or does nothing, holds nobody up for ever, and signals follow it. */
START_TEST(a_stop_that_fails_is_followed_by_signals)
{
    static const char *const stops[] = {"exit 3", "no-such-command", "sleep 60"};
    struct lazy_state state = {.command = session(SIG_DFL)};
    char text[256];

    snprintf(text, sizeof text, "start = true\nstart-timeout = 100ms\nstop = %s\n", stops[_i]);
    lazy_stop_server(app_with(text), &state);
    ck_assert(is_gone(&state.command));
}
END_TEST

/* After a failed start it is for what a command that went well has left behind. */
START_TEST(a_failed_start_is_stopped_by_its_owner)
{
    struct lazy_app *app = app_with("start = true\nstop = echo x >>stops\n");
    struct lazy_state state = {.exit_status = 3};

    lazy_stop_start(app, &state);
    ck_assert_str_eq(unit_read("stops"), "");
    state.exit_status = 0;
    lazy_stop_start(app, &state);
    ck_assert_str_eq(unit_read("stops"), "x\n");
}
END_TEST

START_TEST(only_sockets_are_cleared_away)
{
    const struct lazy_app *app = unit_app("start = true\nsocket = ./x.sock\n");

    lazy_stop_clear_socket(app); /* nothing there */
    close(unit_listen("x.sock", 1));
    lazy_stop_clear_socket(app);
    ck_assert_int_eq(access("x.sock", F_OK), -1);
    unit_write("x.sock", "precious", 0600);
    lazy_stop_clear_socket(app);
    ck_assert_str_eq(unit_read("x.sock"), "precious");
}
END_TEST

Suite *stop_suite(void)
{
    Suite *suite = suite_create("stop");
    TCase *tcase = unit_case(suite, "stop");

    tcase_add_test(tcase, a_session_ends_by_term);
    tcase_add_test(tcase, a_stubborn_session_is_killed);
    tcase_add_test(tcase, a_session_that_was_stopped_ends_by_term);
    tcase_add_test(tcase, the_recorded_session_is_stopped);
    tcase_add_loop_test(tcase, whoever_listened_is_stopped_too, 0, 2);
    tcase_add_test(tcase, strangers_are_left_alone);
    tcase_add_test(tcase, nobody_is_nobody);
    tcase_add_test(tcase, the_owners_stop_is_run);
    tcase_add_loop_test(tcase, a_stop_that_fails_is_followed_by_signals, 0, 3);
    tcase_add_test(tcase, a_failed_start_is_stopped_by_its_owner);
    tcase_add_test(tcase, only_sockets_are_cleared_away);
    return suite;
}

#include "unit.h"

#include "core/stop.h"

#include <signal.h>
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

static bool is_gone(const struct lazy_process *process)
{
    return kill(-process->pid, 0) < 0 && !lazy_process_alive(process);
}

START_TEST(a_session_ends_by_term)
{
    struct lazy_process leader = session(SIG_DFL);

    lazy_stop_session(&leader);
    ck_assert(is_gone(&leader));
}
END_TEST

START_TEST(a_stubborn_session_is_killed)
{
    struct lazy_process leader = session(SIG_IGN);

    lazy_stop_session(&leader);
    unit_wait(is_gone(&leader)); /* once process 1 has got round to the orphans */
}
END_TEST

START_TEST(the_recorded_server_is_stopped)
{
    struct lazy_state state = {.command = session(SIG_DFL)};
    struct lazy_process nobody = {.pid = 0};

    ck_assert(lazy_stop_server(&state, &nobody));
    ck_assert(is_gone(&state.command));
    ck_assert(!lazy_stop_server(&state, &nobody));
}
END_TEST

START_TEST(whoever_listens_is_stopped_instead)
{
    struct lazy_process server = session(SIG_DFL);
    struct lazy_state state = {.command = {.pid = server.pid, .start = server.start + 1},
                               .up_ticks = lazy_process_now()};

    ck_assert(lazy_stop_server(&state, &server));
    ck_assert(is_gone(&server));
}
END_TEST

/* A pid that has come round, and a server that somebody else has started since, are left alone. */
START_TEST(strangers_are_left_alone)
{
    struct lazy_process server = session(SIG_DFL);
    struct lazy_state state = {.command = {.pid = server.pid, .start = server.start + 1},
                               .up_ticks = server.start - 1};
    struct lazy_process reused = {.pid = server.pid, .start = server.start + 1};

    ck_assert(!lazy_stop_server(&state, &server));
    state.up_ticks = lazy_process_now();
    ck_assert(!lazy_stop_server(&state, &reused));
    ck_assert(lazy_process_alive(&server));
    lazy_stop_session(&server);
}
END_TEST

START_TEST(nobody_is_nobody)
{
    static const pid_t never[] = {0, 1, -1};

    for (int i = 0; i < 3; i++) { /* as pids of kill(2) they would mean us, init, everybody */
        struct lazy_process process = {.pid = never[i], .start = 1};
        struct lazy_state state = {.command = process, .up_ticks = 1LL << 60};

        lazy_stop_session(&process);
        ck_assert(!lazy_stop_server(&state, &process));
    }
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
    tcase_add_test(tcase, the_recorded_server_is_stopped);
    tcase_add_test(tcase, whoever_listens_is_stopped_instead);
    tcase_add_test(tcase, strangers_are_left_alone);
    tcase_add_test(tcase, nobody_is_nobody);
    tcase_add_test(tcase, only_sockets_are_cleared_away);
    return suite;
}

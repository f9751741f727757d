#include "unit.h"

#include "core/folder.h"
#include "core/hang.h"
#include "core/lock.h"
#include "core/restart.h"
#include "core/starter.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP "start = echo x >>starts; exec sleep 30\nstate-dir = state\nhang-limit = 2\n"
#define SAID "; it hangs ('hang-limit'), so it is restarted"

static struct lazy_app *app;
static struct lazy_names names;
static struct lazy_error error;
static int folder, silence, events;

static void on_event(void *context, enum lazy_event event, int ms, const char *sentence)
{
    (void)context, (void)ms, (void)sentence;
    events += event == LAZY_EVENT_HUNG;
}

static const struct lazy_front front = {.visitor = -1, .event = on_event};

/* An app whose server came up once, as far as the record goes. */
static void begin(const char *text, enum lazy_state_outcome outcome)
{
    struct lazy_state state = {.outcome = outcome, .exit_status = -1};

    app = unit_app(text);
    folder = lazy_folder_open(app->state_dir, &error);
    ck_assert_int_ge(folder, 0);
    lazy_names_set(&names, app);
    ck_assert_int_eq(lazy_state_write(folder, names.state, names.state_new, "", &state), 0);
    silence = lazy_hang_join(app);
    ck_assert_int_ge(silence, 0);
    events = 0;
}

/* One more request has got no answer; has that made lazyscgi restart the server? */
static bool restarts(void)
{
    lazy_error_set(&error, LAZY_SILENT, 0, "silent");
    lazy_restart_hung(app, &front, silence, &error);
    return strcmp(error.sentence, "silent" SAID) == 0;
}

static void await_lock(int *lock)
{
    unit_wait(lazy_lock_take(folder, names.lock, lock, &error) == LAZY_LOCK_TAKEN);
}

static void end(void)
{
    struct lazy_state state;
    int lock;

    await_lock(&lock);
    lazy_state_read(folder, names.state, &state);
    if (lazy_process_alive(&state.command))
        kill(-state.command.pid, SIGKILL);
    close(lock);
    close(folder);
    close(silence);
}

START_TEST(one_too_many_restarts_the_server_once)
{
    int listener;

    begin(APP "socket = ./x.sock\n", LAZY_STATE_UP);
    ck_assert(!restarts());
    ck_assert_str_eq(error.sentence, "silent");
    ck_assert(restarts());
    ck_assert_int_eq(events, 1);
    ck_assert(!restarts()); /* it is under way, or has happened */
    unit_wait(unit_read("starts")[0] == 'x');
    listener = unit_listen("x.sock", 8);
    end();
    close(listener);
    ck_assert_str_eq(unit_read("starts"), "x\n");
    ck_assert(!restarts());
    ck_assert_int_lt(access("state/app.cgi.silence", F_OK), 0);
}
END_TEST

START_TEST(not_while_somebody_is_at_it)
{
    int lock;

    begin(APP, LAZY_STATE_UP);
    await_lock(&lock);
    ck_assert(!restarts());
    ck_assert(!restarts());
    close(lock);
    ck_assert_int_eq(events, 0);
    end();
    ck_assert_str_eq(unit_read("starts"), "");
}
END_TEST

/* A server that somebody else has started. */
START_TEST(not_what_was_not_started_here)
{
    begin(APP, _i ? LAZY_STATE_NONE : LAZY_STATE_FAILED);
    ck_assert(!restarts());
    ck_assert(!restarts());
    ck_assert_int_eq(events, 0);
    end();
}
END_TEST

START_TEST(but_if_its_owner_says_how)
{
    int listener;

    begin(APP "stop = echo x >>stops\nsocket = ./x.sock\n", LAZY_STATE_NONE);
    ck_assert(!restarts());
    ck_assert(restarts());
    unit_wait(unit_read("starts")[0] == 'x');
    ck_assert_str_eq(unit_read("stops"), "x\n");
    listener = unit_listen("x.sock", 8);
    end();
    close(listener);
}
END_TEST

/* It begins a silence, and counts once that is as long as a response-timeout. */
START_TEST(who_has_not_waited_counts_later)
{
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_nsec = UTIME_OMIT}};

    begin(APP, LAZY_STATE_NONE);
    unlink("state/app.cgi.silence");
    for (int i = 0; i < 4; i++) {
        lazy_error_set(&error, LAZY_CLOSED, 0, "closed");
        lazy_restart_hung(app, &front, -1, &error);
        ck_assert_str_eq(error.sentence, "closed");
        ck_assert_str_eq(unit_read("state/app.cgi.silence"), i < 2 ? "" : i == 2 ? "." : "..");
        ck_assert_int_eq(utimensat(AT_FDCWD, "state/app.cgi.silence", times, 0), 0);
        if (i == 0)
            lazy_hang_end(app);
    }
    end();
}
END_TEST

START_TEST(what_is_not_counted_is_not_restarted)
{
    lazy_error_set(&error, LAZY_CLOSED, 0, "closed");
    lazy_restart_hung(unit_app("start = true\nhang-limit = 0\n"), &front, -1, &error);
    ck_assert_str_eq(error.sentence, "closed");
}
END_TEST

Suite *restart_suite(void)
{
    Suite *suite = suite_create("restart");
    TCase *tcase = unit_case(suite, "restart");

    tcase_add_test(tcase, one_too_many_restarts_the_server_once);
    tcase_add_test(tcase, not_while_somebody_is_at_it);
    tcase_add_loop_test(tcase, not_what_was_not_started_here, 0, 2);
    tcase_add_test(tcase, but_if_its_owner_says_how);
    tcase_add_test(tcase, who_has_not_waited_counts_later);
    tcase_add_test(tcase, what_is_not_counted_is_not_restarted);
    return suite;
}

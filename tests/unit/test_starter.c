#include "unit.h"

#include "core/folder.h"
#include "core/lock.h"
#include "core/mark.h"
#include "core/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct lazy_app *app;
static struct lazy_names names;
static struct lazy_error heard;
static int folder, link_end, descriptors;

/* What happens between the decision and the starter. */
static void (*meanwhile)(void);

/* Who is killed when the start command's process records itself; that process inherits this. */
static struct {
    bool starter, command, after_record;
} killed;

static void strike(void)
{
    pid_t starter = getppid();

    kill(starter, SIGKILL);
    while (getppid() == starter)
        usleep(1000);
    if (killed.command)
        raise(SIGKILL);
    close(open("struck", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (access("seen", F_OK) < 0)
        usleep(1000);
}

/* Takes the C library's place in this program: a state is recorded by a rename. */
int renameat(int old_folder, const char *old, int new_folder, const char *new)
{
    long result;

    if (killed.starter && !killed.after_record)
        strike();
    result = syscall(SYS_renameat2, old_folder, old, new_folder, new, 0);
    if (killed.starter && killed.after_record)
        strike();
    return (int)result;
}

static void begin(void)
{
    descriptors = unit_descriptors();
    folder = link_end = -1;
    killed.starter = false;
    meanwhile = NULL;
}

static void open_folder(void)
{
    lazy_names_set(&names, app);
    if (folder < 0)
        folder = lazy_folder_open(app->state_dir, &heard);
    ck_assert_msg(folder >= 0, "%s", heard.sentence);
}

/* What an earlier start has left. */
static void put_state(const struct lazy_state *state)
{
    open_folder();
    ck_assert_int_eq(lazy_state_write(folder, names.state, names.state_new, "", state), 0);
}

/* The test plays the leader: it takes the lock, and keeps one end of the link. */
static void start(int restart)
{
    struct lazy_starter starter = {.app = app, .names = &names, .restart = restart};
    struct timeval limit = {.tv_sec = 20};
    int ends[2];

    open_folder();
    ck_assert_int_eq(lazy_lock_take(folder, names.lock, &starter.lock, &heard), LAZY_LOCK_TAKEN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    lazy_state_read(folder, names.state, &starter.state);
    starter.folder = folder;
    starter.link = ends[1];
    if (meanwhile != NULL)
        meanwhile();
    ck_assert_int_eq(lazy_starter_spawn(&starter), 0);
    close(ends[1]);
    if (link_end >= 0)
        close(link_end);
    link_end = ends[0];
}

/* One message of the starter; false at the end, which comes when it and its children have let go. */
static bool hear(void)
{
    ssize_t got = recv(link_end, &heard, sizeof heard, MSG_WAITALL);

    ck_assert(got == 0 || got == sizeof heard);
    return got > 0;
}

static void hear_begin(void)
{
    ck_assert(hear());
    ck_assert_msg(heard.failure == LAZY_OK && heard.sentence[0] == '\0', "%s", heard.sentence);
}

static bool is_lock_free(void)
{
    int lock;

    if (lazy_lock_take(folder, names.lock, &lock, &heard) != LAZY_LOCK_TAKEN)
        return false;
    lazy_lock_release(lock);
    return true;
}

static struct lazy_state present_state(void)
{
    struct lazy_state state;

    lazy_state_read(folder, names.state, &state);
    return state;
}

/* The state that the starter leaves when it has ended. */
static struct lazy_state ended(void)
{
    unit_wait(is_lock_free());
    return present_state();
}

static void meet_server(void)
{
    pid_t server = present_state().command.pid;

    ck_assert_int_eq(send(link_end, &server, sizeof server, MSG_NOSIGNAL), sizeof server);
}

static void end(void)
{
    if (folder >= 0) {
        struct lazy_state state;

        if (link_end >= 0)
            close(link_end);
        state = ended();
        if (lazy_process_alive(&state.command))
            kill(-state.command.pid, SIGKILL);
        close(folder);
    }
    ck_assert_int_eq(unit_descriptors(), descriptors);
}

/* Waits for `: >go` of a start command. */
static void await_go(void)
{
    int fd = open("go", O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

/* An app whose command notes each start and tells the test that it runs, then does the rest. */
static void use_command(const char *rest)
{
    char text[512];

    snprintf(text, sizeof text, "start = echo x >>starts; : >go; %s\n", rest);
    app = unit_app(text);
    ck_assert_int_eq(mkfifo("go", 0600), 0);
}

/* Has the command started, and its server met; returns what is then on record. */
static struct lazy_state bring_up(void)
{
    start(0);
    await_go();
    meet_server();
    return ended();
}

static const struct {
    const char *text, *reason;
    long long exit_status, signal;
} failing[] = {
    {"start = exit 3", "the start command exited with status 3", 3, 0},
    {"start = no-such-command", "exited with status 127 (command not found)", 127, 0},
    {"start = kill -9 $$", "was ended by signal 9", -1, 9},
    {"start = sleep 30 & exit 0\nstart-timeout = 700ms", "within 'start-timeout', 700ms", 0, 0},
    {"start = exec sleep 30\nstart-timeout = 200ms", "within 'start-timeout', 200ms", -1, 0},
};

START_TEST(a_failed_start_is_recorded_and_told)
{
    long long before = time(NULL);
    struct lazy_state state;

    app = unit_app(failing[_i].text);
    start(0);
    hear_begin();
    ck_assert(hear());
    ck_assert_int_eq(heard.failure, LAZY_START);
    ck_assert_int_ge(heard.retry_after, 1);
    ck_assert_int_le(heard.retry_after, 2);
    ck_assert_ptr_nonnull(strstr(heard.sentence, failing[_i].reason));
    ck_assert_ptr_nonnull(strstr(heard.sentence, app->log));
    ck_assert(!hear());

    state = ended();
    ck_assert_int_eq(state.outcome, LAZY_STATE_FAILED);
    ck_assert_ptr_nonnull(strstr(state.reason, failing[_i].reason));
    ck_assert_int_eq(state.exit_status, failing[_i].exit_status);
    ck_assert_int_eq(state.signal, failing[_i].signal);
    ck_assert_int_eq(state.failures, 1);
    ck_assert_int_ge(state.started, before);
    ck_assert_int_ge(state.ended, state.started);
    ck_assert_int_eq(state.next_start, state.ended + 2);
    ck_assert_str_eq(state.stamp, app->stamp.text);
    ck_assert_int_eq(lazy_process_start(state.command.pid), 0);
}
END_TEST

/* All that the command has left behind goes with it, or the next start would run beside it. */
START_TEST(what_a_failed_command_left_behind_is_ended)
{
    use_command("sleep 30 & echo $! >child; exit 3");
    start(0);
    await_go();
    ck_assert_int_eq(ended().outcome, LAZY_STATE_FAILED);
    ck_assert_int_gt(atoi(unit_read("child")), 1);
    ck_assert_int_eq(lazy_process_start(atoi(unit_read("child"))), 0);
}
END_TEST

START_TEST(a_server_that_is_met_is_up)
{
    struct lazy_state state = {.outcome = LAZY_STATE_FAILED, .failures = 5, .next_start = 1,
                               .reason = "old", .exit_status = 7, .signal = 9};

    use_command("exec sleep 30");
    put_state(&state);
    start(0);
    hear_begin();
    await_go();
    ck_assert(!is_lock_free());
    ck_assert_int_eq(present_state().outcome, LAZY_STATE_STARTING);
    meet_server();
    ck_assert(!hear());
    state = ended();
    ck_assert_int_eq(state.outcome, LAZY_STATE_UP);
    ck_assert(lazy_process_alive(&state.command));
    ck_assert_int_eq(state.server.pid, state.command.pid);
    ck_assert_int_eq(state.server.start, state.command.start);
    ck_assert(state.failures == 0 && state.next_start == 0 && state.reason[0] == '\0');
    ck_assert(state.exit_status == -1 && state.signal == 0);
    ck_assert_str_eq(state.stamp, app->stamp.text);
    ck_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD); /* nothing of it is ours */
}
END_TEST

/* The leader was killed: the starter looks for the server itself. */
START_TEST(without_a_leader_the_starter_looks_itself)
{
    int server;

    use_command("exec sleep 30");
    start(0);
    hear_begin();
    close(link_end);
    link_end = -1;
    await_go();
    server = unit_listen(app->socket, 8);
    ck_assert_int_eq(ended().outcome, LAZY_STATE_UP);
    close(server);
}
END_TEST

START_TEST(nothing_runs_that_is_not_on_record)
{
    app = unit_app("start = echo x >>starts");
    open_folder();
    ck_assert_int_eq(mkdirat(folder, names.state_new, 0700), 0);
    start(0);
    hear_begin();
    ck_assert(hear());
    ck_assert_int_eq(heard.failure, LAZY_FOLDER);
    ck_assert_ptr_nonnull(strstr(heard.sentence, "the state can't be written"));
    ck_assert(!hear());
    ck_assert_int_eq(ended().outcome, LAZY_STATE_NONE);
    ck_assert_str_eq(unit_read("starts"), "");
}
END_TEST

START_TEST(nothing_runs_without_a_log)
{
    struct lazy_state state;

    app = unit_app("start = echo x >>starts");
    open_folder();
    ck_assert_int_eq(mkfifo(app->log, 0600), 0);
    start(0);
    ck_assert(hear()); /* without a beginning */
    ck_assert_int_eq(heard.failure, LAZY_START);
    ck_assert_ptr_nonnull(strstr(heard.sentence, "the log can't be opened"));
    state = ended();
    ck_assert_int_eq(state.outcome, LAZY_STATE_FAILED);
    ck_assert_int_eq(state.failures, 1);
    ck_assert_str_eq(unit_read("starts"), "");
}
END_TEST

/* The starter, or the process of the command too, is killed before or after that is on record. */
START_TEST(a_starter_killed_before_the_command_runs)
{
    use_command("exec sleep 30\nstart-timeout = 2s");
    killed.starter = true;
    killed.command = _i & 1;
    killed.after_record = _i & 2;
    start(0);
    killed.starter = false;
    if (!killed.command) {
        unit_wait(access("struck", F_OK) == 0);
        ck_assert(!is_lock_free());
        unit_write("seen", "", 0600);
        await_go();
    }
    ck_assert(!hear());
    unit_wait(is_lock_free());
    start(0);
    hear_begin();
    if (killed.command) {
        if (killed.after_record) /* the one on record is given some time */
            hear_begin();
        await_go();
    }
    meet_server();
    ck_assert_int_eq(ended().outcome, LAZY_STATE_UP);
    ck_assert_str_eq(unit_read("starts"), "x\n");
}
END_TEST

static pid_t parent_of(pid_t pid)
{
    char path[64];
    const char *found;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    found = strstr(unit_read(path), "\nPPid:");
    ck_assert_ptr_nonnull(found);
    return (pid_t)atoi(found + 6);
}

/* The successor of a starter that was killed while its command runs. */
static struct lazy_state start_with_successor(void)
{
    struct lazy_state state;
    pid_t starter;

    use_command("exec sleep 30\nstart-timeout = 2s");
    start(0);
    hear_begin();
    await_go();
    state = present_state();
    starter = parent_of(state.command.pid);
    ck_assert_int_gt(starter, 1);
    ck_assert_int_eq(kill(starter, SIGKILL), 0);
    ck_assert(!hear()); /* without a word */
    unit_wait(is_lock_free());
    start(0);
    hear_begin();
    return state;
}

START_TEST(a_successor_watches_the_same_start)
{
    struct lazy_state before = start_with_successor(), after;

    meet_server();
    after = ended();
    ck_assert_int_eq(after.outcome, LAZY_STATE_UP);
    ck_assert_int_eq(after.command.pid, before.command.pid);
    ck_assert_str_eq(unit_read("starts"), "x\n");
}
END_TEST

START_TEST(a_successor_of_a_failed_start_starts_anew)
{
    struct lazy_state before = start_with_successor(), after;

    ck_assert_int_eq(kill(before.command.pid, SIGKILL), 0);
    hear_begin();
    await_go();
    meet_server();
    after = ended();
    ck_assert_int_eq(after.outcome, LAZY_STATE_UP);
    ck_assert_int_ne(after.command.pid, before.command.pid);
    ck_assert_str_eq(unit_read("starts"), "x\nx\n");
}
END_TEST

START_TEST(a_restart_stops_the_old_one_first)
{
    struct lazy_state before, after;

    use_command("exec sleep 30");
    before = bring_up();
    start(1);
    hear_begin();
    await_go();
    ck_assert(!lazy_process_alive(&before.command));
    meet_server();
    after = ended();
    ck_assert_int_eq(after.outcome, LAZY_STATE_UP);
    ck_assert(lazy_process_alive(&after.command));
    ck_assert_str_eq(unit_read("starts"), "x\nx\n");
}
END_TEST

/* Its socket was deleted, so that nobody listens any more; or its starter was killed as it stopped it. */
START_TEST(nothing_runs_beside_what_is_left)
{
    struct lazy_state before, after;

    use_command("exec sleep 30");
    before = bring_up();
    if (_i == 1) {
        before.outcome = LAZY_STATE_STOPPING;
        put_state(&before);
    }
    start(0);
    hear_begin();
    await_go();
    ck_assert(!lazy_process_alive(&before.command));
    meet_server();
    after = ended();
    ck_assert(lazy_process_alive(&after.command));
}
END_TEST

static void delete_lock(void)
{
    ck_assert_int_eq(unlinkat(folder, names.lock, 0), 0);
}

static int listener;

static void come_up(void)
{
    listener = unit_listen(app->socket, 8);
}

static void (*const changes[])(void) = {delete_lock, come_up};

/* What the leader has seen is true no more. */
START_TEST(a_start_that_is_not_due_any_more)
{
    app = unit_app("start = echo x >>starts");
    meanwhile = changes[_i];
    start(0);
    ck_assert(!hear());
    ck_assert_int_eq(ended().outcome, LAZY_STATE_NONE);
    ck_assert_str_eq(unit_read("starts"), "");
    if (meanwhile == come_up)
        close(listener);
}
END_TEST

/* The other has an earlier lock, whose file was deleted. */
START_TEST(a_starter_waits_for_another)
{
    int mark;

    app = unit_app("start = echo x >>starts");
    mark = lazy_mark_set(app->file);
    start(0);
    unit_wait(lazy_mark_is_shared(mark));
    usleep(200 * 1000); /* time for what must not happen */
    ck_assert(!is_lock_free());
    close(mark);
    ck_assert(!hear());
    ck_assert_int_eq(ended().outcome, LAZY_STATE_NONE);
    ck_assert_str_eq(unit_read("starts"), "");
}
END_TEST

/* Nobody is known who could be stopped: that is said once, and the server stays as it is. */
START_TEST(what_can_not_be_stopped_is_kept)
{
    struct lazy_state state = {.outcome = LAZY_STATE_UP, .stamp = "older"};
    int server;

    app = unit_app("start = echo x >>starts");
    put_state(&state);
    server = unit_listen(app->socket, 8);
    start(1);
    ck_assert(hear());
    ck_assert_int_eq(heard.failure, LAZY_OK);
    ck_assert_ptr_nonnull(strstr(heard.sentence, "could not be stopped"));
    ck_assert(!hear());
    state = ended();
    ck_assert_int_eq(state.outcome, LAZY_STATE_UP);
    ck_assert_str_eq(state.stamp, app->stamp.text);
    ck_assert_str_eq(unit_read("starts"), "");
    close(server);
}
END_TEST

/* How many descriptors it has open; those that valgrind has for itself are high ones. */
static int descriptors_of(pid_t pid)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct stat status;
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        count += lstat(path, &status) == 0;
    }
    return count;
}

/* The environment that the process was given, as lines. */
static void expect_environment(pid_t pid, const char *expected)
{
    char path[64], text[8192];
    ssize_t length;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    length = read(fd, text, sizeof text - 1);
    close(fd);
    ck_assert_int_gt(length, 0);
    text[length] = '\0';
    for (char *at = text; at < text + length; at++)
        if (*at == '\0')
            *at = '\n';
    ck_assert_str_eq(text, expected);
}

/* Of all that the front has open and in its environment, little reaches the starter and less the
 * command; what the parts of that are is tested with them. */
START_TEST(nothing_of_a_request_is_passed_on)
{
    static char *environment[] = {"HTTP_COOKIE=secret", "HOME=/home/me", "QUERY_STRING=q",
                                  "SHELL=/bin/false", "LC_ALL=C", NULL};
    int open_one = open("/dev/null", O_RDONLY); /* not close-on-exec, as some libraries leave them */
    char expected[8192];
    pid_t pid;

    use_command("sleep 30; exit\nenv = SHELL=/bin/own"); /* the shell stays, to be looked at */
    app->environment = environment;
    start(0);
    close(open_one);
    hear_begin();
    await_go();
    pid = present_state().command.pid;
    snprintf(expected, sizeof expected,
             "HOME=/home/me\nLC_ALL=C\nLAZYSCGI_SOCKET=%s\nLAZYSCGI_APP=%s\nSHELL=/bin/own\n",
             app->socket, app->file);
    expect_environment(pid, expected);
    unit_wait(descriptors_of(pid) == 3); /* the shell had one more while it wrote to `go` */
    ck_assert_int_eq(getsid(pid), pid);
    ck_assert_int_eq(descriptors_of(parent_of(pid)), 8); /* 0 to 2, folder, lock, link, bell, mark */
    ck_assert_int_ne(getsid(parent_of(pid)), getsid(0));
    meet_server();
}
END_TEST

START_TEST(names_and_sentences)
{
    struct lazy_state state = {.reason = "the reason"};
    long long now = time(NULL);

    app = unit_app("start = true");
    lazy_names_set(&names, app);
    ck_assert_str_eq(names.lock, "app.cgi.lock");
    ck_assert_str_eq(names.state, "app.cgi.state");
    ck_assert_int_eq(lazy_starter_failure(app, &state, &heard), -1);
    ck_assert_int_eq(heard.failure, LAZY_START);
    ck_assert_int_eq(heard.retry_after, 1); /* never "now" */
    ck_assert_ptr_nonnull(strstr(heard.sentence, "the reason"));
    state.next_start = now + 50;
    lazy_starter_failure(app, &state, &heard);
    ck_assert_int_ge(heard.retry_after, 30);
    ck_assert_int_le(heard.retry_after, 50);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

Suite *starter_suite(void)
{
    Suite *suite = suite_create("starter");
    TCase *tcase = unit_case(suite, "starter");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, a_failed_start_is_recorded_and_told, 0, COUNT(failing));
    tcase_add_test(tcase, what_a_failed_command_left_behind_is_ended);
    tcase_add_test(tcase, a_server_that_is_met_is_up);
    tcase_add_test(tcase, without_a_leader_the_starter_looks_itself);
    tcase_add_test(tcase, nothing_runs_that_is_not_on_record);
    tcase_add_test(tcase, nothing_runs_without_a_log);
    tcase_add_loop_test(tcase, a_starter_killed_before_the_command_runs, 0, 4);
    tcase_add_test(tcase, a_successor_watches_the_same_start);
    tcase_add_test(tcase, a_successor_of_a_failed_start_starts_anew);
    tcase_add_test(tcase, a_restart_stops_the_old_one_first);
    tcase_add_loop_test(tcase, nothing_runs_beside_what_is_left, 0, 2);
    tcase_add_loop_test(tcase, a_start_that_is_not_due_any_more, 0, COUNT(changes));
    tcase_add_test(tcase, a_starter_waits_for_another);
    tcase_add_test(tcase, what_can_not_be_stopped_is_kept);
    tcase_add_test(tcase, nothing_of_a_request_is_passed_on);
    tcase_add_test(tcase, names_and_sentences);
    return suite;
}

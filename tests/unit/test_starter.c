#include "unit.h"

#include "core/bell.h"
#include "core/folder.h"
#include "core/lock.h"
#include "core/starter.h"

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
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct lazy_app *app;
static struct lazy_names names;
static struct lazy_error heard;
static int folder, link_end, bell, descriptors;

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
    folder = link_end = bell = -1;
    killed.starter = false;
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
    struct lazy_starter starter = {.app = app, .names = &names, .bell = -1, .restart = restart};
    struct timeval limit = {.tv_sec = 20};
    int ends[2];

    open_folder();
    ck_assert_int_eq(lazy_lock_take(folder, names.lock, &starter.lock, &heard), LAZY_LOCK_TAKEN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    lazy_state_read(folder, names.state, &starter.state);
    starter.folder = folder;
    starter.link = ends[1];
    starter.bell = bell;
    ck_assert_int_eq(lazy_starter_spawn(&starter), 0);
    close(starter.lock);
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

/* The state that the starter leaves when it has ended. */
static struct lazy_state ended(void)
{
    struct lazy_state state;

    unit_wait(is_lock_free());
    lazy_state_read(folder, names.state, &state);
    return state;
}

static void meet_server(void)
{
    ck_assert_int_eq(send(link_end, "", 1, MSG_NOSIGNAL), 1);
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

static const struct {
    const char *text, *reason;
    long long exit_status, signal;
} failing[] = {
    {"start = exit 3", "the start command exited with status 3", 3, 0},
    {"start = no-such-command", "exited with status 127 (command not found)", 127, 0},
    {"start = exec /", "exited with status 126 (command can't be run)", 126, 0},
    {"start = true\ndirectory = /nonexistent", "exited with status 126", 126, 0},
    {"start = kill -9 $$", "was ended by signal 9", -1, 9},
    {"start = sleep 60 & exit 0\nstart-timeout = 700ms", "within 'start-timeout', 700ms", 0, 0},
    {"start = exec sleep 60\nstart-timeout = 200ms", "within 'start-timeout', 200ms", -1, 0},
};

START_TEST(test_failing)
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
START_TEST(test_leftovers_ended)
{
    use_command("sleep 60 & echo $! >child; exit 3");
    start(0);
    await_go();
    ck_assert_int_eq(ended().outcome, LAZY_STATE_FAILED);
    ck_assert_int_gt(atoi(unit_read("child")), 1);
    ck_assert_int_eq(lazy_process_start(atoi(unit_read("child"))), 0);
}
END_TEST

static const struct {
    long long failures, pause;
} pauses[] = {{0, 1}, {1, 2}, {2, 4}, {5, 32}, {6, 60}, {7, 60}, {1000, 60}, {1LL << 61, 60}};

START_TEST(test_back_off)
{
    struct lazy_state state = {.outcome = LAZY_STATE_FAILED, .failures = pauses[_i].failures};

    app = unit_app("start = exit 1");
    put_state(&state);
    start(0);
    state = ended();
    ck_assert_int_eq(state.failures, pauses[_i].failures + 1);
    ck_assert_int_eq(state.next_start, state.ended + pauses[_i].pause + 1);
}
END_TEST

START_TEST(test_up)
{
    struct lazy_state state = {.outcome = LAZY_STATE_FAILED, .failures = 5, .next_start = 1,
                               .reason = "old", .exit_status = 7, .signal = 9};

    use_command("exec sleep 60");
    put_state(&state);
    start(0);
    hear_begin();
    await_go();
    ck_assert(!is_lock_free());
    lazy_state_read(folder, names.state, &state);
    ck_assert_int_eq(state.outcome, LAZY_STATE_STARTING);
    meet_server();
    ck_assert(!hear());
    state = ended();
    ck_assert_int_eq(state.outcome, LAZY_STATE_UP);
    ck_assert(lazy_process_alive(&state.command));
    ck_assert_int_ge(state.up_ticks, state.command.start);
    ck_assert(state.failures == 0 && state.next_start == 0 && state.reason[0] == '\0');
    ck_assert(state.exit_status == -1 && state.signal == 0);
    ck_assert_str_eq(state.stamp, app->stamp.text);
    ck_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD); /* nothing of it is ours */
}
END_TEST

/* The leader was killed: the starter looks for the server itself. */
START_TEST(test_leader_gone)
{
    int server;

    use_command("exec sleep 60");
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

START_TEST(test_bell)
{
    struct pollfd listener = {.events = POLLIN};

    use_command("exec sleep 60");
    open_folder();
    listener.fd = lazy_bell_listen(folder, names.bell);
    bell = lazy_bell_hold(folder, names.bell);
    ck_assert(listener.fd >= 0 && bell >= 0);
    start(0);
    close(bell);
    await_go();
    ck_assert_int_eq(poll(&listener, 1, 0), 0);
    meet_server();
    ck_assert_int_eq(poll(&listener, 1, 20000), 1); /* though the command runs on */
    ck_assert(listener.revents & POLLHUP);
    ck_assert(is_lock_free()); /* let go before the bell rings */
    close(listener.fd);
}
END_TEST

static void block_state(void)
{
    ck_assert_int_eq(mkdirat(folder, names.state_new, 0700), 0);
}

static void block_log(void)
{
    ck_assert_int_eq(mkfifo(app->log, 0600), 0);
}

static void block_log_by_link(void)
{
    ck_assert_int_eq(symlink("victim", app->log), 0);
}

static const struct {
    void (*block)(void);
    enum lazy_failure failure;
    const char *sentence;
    enum lazy_state_outcome outcome;
} blocked[] = {
    {block_state, LAZY_FOLDER, "the state can't be written", LAZY_STATE_NONE},
    {block_log, LAZY_START, "the log can't be opened", LAZY_STATE_FAILED},
    {block_log_by_link, LAZY_START, "the log can't be opened", LAZY_STATE_FAILED},
};

START_TEST(test_blocked)
{
    app = unit_app("start = echo x >>starts");
    open_folder();
    blocked[_i].block();
    start(0);
    do
        ck_assert(hear());
    while (heard.failure == LAZY_OK);
    ck_assert_int_eq(heard.failure, blocked[_i].failure);
    ck_assert_ptr_nonnull(strstr(heard.sentence, blocked[_i].sentence));
    ck_assert(!hear());
    ck_assert_int_eq(ended().outcome, blocked[_i].outcome);
    ck_assert_str_eq(unit_read("starts"), "");
}
END_TEST

/* The starter, or the process of the command too, is killed before or after that is on record. */
START_TEST(test_killed_before_exec)
{
    use_command("exec sleep 60\nstart-timeout = 2s");
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

/* The text behind a key of /proc/<pid>/status. */
static const char *status_of(pid_t pid, const char *key)
{
    char path[64];
    const char *at;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    at = strstr(unit_read(path), key);
    ck_assert_msg(at != NULL, "%s has no %s", path, key);
    return at + strlen(key);
}

static pid_t parent_of(pid_t pid)
{
    return (pid_t)atoi(status_of(pid, "\nPPid:"));
}

/* The successor of a starter that was killed while its command runs. */
static struct lazy_state start_with_successor(void)
{
    struct lazy_state state;
    pid_t starter;

    use_command("exec sleep 60\nstart-timeout = 2s");
    start(0);
    hear_begin();
    await_go();
    lazy_state_read(folder, names.state, &state);
    starter = parent_of(state.command.pid);
    ck_assert_int_gt(starter, 1);
    ck_assert_int_eq(kill(starter, SIGKILL), 0);
    ck_assert(!hear()); /* without a word */
    unit_wait(is_lock_free());
    start(0);
    hear_begin();
    return state;
}

START_TEST(test_successor)
{
    struct lazy_state before = start_with_successor(), after;

    meet_server();
    after = ended();
    ck_assert_int_eq(after.outcome, LAZY_STATE_UP);
    ck_assert_int_eq(after.command.pid, before.command.pid);
    ck_assert_str_eq(unit_read("starts"), "x\n");
}
END_TEST

START_TEST(test_successor_starts_anew)
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

START_TEST(test_restart)
{
    struct lazy_state before, after;

    use_command("exec sleep 60");
    start(0);
    await_go();
    meet_server();
    before = ended();
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

/* Nobody is known who could be stopped: that is said once, and the server stays as it is. */
START_TEST(test_restart_impossible)
{
    struct lazy_state state = {.outcome = LAZY_STATE_UP, .stamp = "older"};

    app = unit_app("start = echo x >>starts");
    put_state(&state);
    start(1);
    ck_assert(hear());
    ck_assert_int_eq(heard.failure, LAZY_OK);
    ck_assert_ptr_nonnull(strstr(heard.sentence, "could not be stopped"));
    ck_assert(!hear());
    state = ended();
    ck_assert_int_eq(state.outcome, LAZY_STATE_UP);
    ck_assert_str_eq(state.stamp, app->stamp.text);
    ck_assert_str_eq(unit_read("starts"), "");
}
END_TEST

static void expect_link(pid_t pid, const char *name, const char *target)
{
    char path[64], found[PATH_MAX];
    ssize_t length;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    length = readlink(path, found, sizeof found - 1);
    found[length < 0 ? 0 : length] = '\0';
    ck_assert_str_eq(found, target);
}

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

/* Starts as an httpd might: in a process full of things that are no business of a server's. */
static void start_from_mess(void)
{
    int open_one = open("/etc/passwd", O_RDONLY), other = fcntl(open_one, F_DUPFD, 100);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old_action;
    struct rlimit limit;
    sigset_t term, old_mask;
    mode_t old_umask;

    ck_assert_int_ge(other, 100);
    ck_assert_int_eq(getrlimit(RLIMIT_CPU, &limit), 0);
    setrlimit(RLIMIT_CPU, &(struct rlimit){.rlim_cur = 4000, .rlim_max = limit.rlim_max});
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &old_mask);
    sigaction(SIGHUP, &ignore, &old_action);
    old_umask = umask(020);
    start(0);
    umask(old_umask);
    sigaction(SIGHUP, &old_action, NULL);
    sigprocmask(SIG_SETMASK, &old_mask, NULL);
    setrlimit(RLIMIT_CPU, &limit);
    close(open_one);
    close(other);
}

START_TEST(test_hygiene)
{
    static char *environment[] = {
        "PATH=/bin:/usr/bin", "HTTP_COOKIE=secret", "HOME=/home/me", "QUERY_STRING=q", "LC_ALL=C",
        "REQUEST_METHOD=GET", "LC_ODD=odd", "TZ=UTC", "HTTP_PROXY=evil", "HOMER=h", "PATHS=p",
        "LD_PRELOAD=/evil.so", "LANGUAGE=en", "SHELL=/bin/false", "GATEWAY_INTERFACE=CGI/1.1",
        "LAZYSCGI_SOCKET=/evil", "TMPDIR=/var/tmp", NULL,
    };
    char expected[8192];
    struct lazy_state state;
    struct rlimit limit;
    pid_t pid;

    use_command("");
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    app = unit_app("start = : >../go; sleep 60; exit\n" /* the shell stays, to be looked at */
                   "directory = sub\nenv = SHELL=/bin/own\nenv = ANY=a b \"$c\"\n");
    app->environment = environment;
    start_from_mess();
    hear_begin();
    await_go();
    lazy_state_read(folder, names.state, &state);
    pid = state.command.pid;
    snprintf(expected, sizeof expected,
             "PATH=/bin:/usr/bin\nHOME=/home/me\nLC_ALL=C\nLC_ODD=odd\nTZ=UTC\nTMPDIR=/var/tmp\n"
             "LAZYSCGI_SOCKET=%s\nLAZYSCGI_APP=%s\nSHELL=/bin/own\nANY=a b \"$c\"\n",
             app->socket, app->file);
    expect_environment(pid, expected);
    unit_wait(descriptors_of(pid) == 3); /* the shell had one more while it wrote to `go` */
    expect_link(pid, "fd/0", "/dev/null");
    expect_link(pid, "fd/1", app->log);
    expect_link(pid, "fd/2", app->log);
    expect_link(pid, "cwd", app->directory);
    ck_assert_int_eq(getsid(pid), pid);
    unit_wait(strtoull(status_of(pid, "\nSigBlk:"), NULL, 16) == 0); /* it blocks while it forks */
    ck_assert_uint_eq(strtoull(status_of(pid, "\nSigIgn:"), NULL, 16), 0);
    ck_assert_int_eq(strtol(status_of(pid, "\nUmask:"), NULL, 8), 022);
    ck_assert_int_eq(prlimit(pid, RLIMIT_CPU, NULL, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, limit.rlim_max);

    pid = parent_of(pid); /* the starter: 0 to 2, folder, lock and link */
    ck_assert_int_eq(descriptors_of(pid), 6);
    expect_link(pid, "fd/2", "/dev/null");
    ck_assert_int_ne(getsid(pid), getsid(0));
    meet_server();
}
END_TEST

START_TEST(test_words)
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
    tcase_add_loop_test(tcase, test_failing, 0, COUNT(failing));
    tcase_add_test(tcase, test_leftovers_ended);
    tcase_add_loop_test(tcase, test_back_off, 0, COUNT(pauses));
    tcase_add_test(tcase, test_up);
    tcase_add_test(tcase, test_leader_gone);
    tcase_add_test(tcase, test_bell);
    tcase_add_loop_test(tcase, test_blocked, 0, COUNT(blocked));
    tcase_add_loop_test(tcase, test_killed_before_exec, 0, 4);
    tcase_add_test(tcase, test_successor);
    tcase_add_test(tcase, test_successor_starts_anew);
    tcase_add_test(tcase, test_restart);
    tcase_add_test(tcase, test_restart_impossible);
    tcase_add_test(tcase, test_hygiene);
    tcase_add_test(tcase, test_words);
    return suite;
}

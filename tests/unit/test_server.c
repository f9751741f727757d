#include "unit.h"

#include "core/lock.h"
#include "core/server.h"
#include "core/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HERD 8
#define REQUESTS 4 /* of each */
#define COMMAND "start = echo x >>starts; " /* notes each start, then does the rest */
#define NEVER_UP COMMAND "exec sleep 30\npatience = 200ms\n"
#define GOES_UP COMMAND ": >go\n" /* the keeper makes the server */

static struct lazy_app *app;
static struct lazy_error error;
static pid_t keeper;
static int keeper_link, descriptors, asked;
static bool may_wait;
static int events[LAZY_EVENTS]; /* how often each was told */

static void on_event(void *context, enum lazy_event event, int ms, const char *sentence)
{
    (void)context, (void)sentence;
    ck_assert_int_ge(ms, 0);
    events[event]++;
}

static bool on_may_wait(void *context)
{
    (void)context;
    asked++;
    return may_wait;
}

static struct lazy_front front = {.event = on_event, .may_wait = on_may_wait};

static void begin(void)
{
    descriptors = unit_descriptors();
    app = NULL;
    keeper = 0;
    keeper_link = -1;
    front.visitor = -1;
    memset(events, 0, sizeof events);
    asked = 0;
    may_wait = true;
}

static const char *starts(void)
{
    return unit_read("starts");
}

static int reach(void)
{
    error.failure = LAZY_OK;
    return lazy_connect(app, &front, &error);
}

static void expect_up(void)
{
    int fd = reach();

    ck_assert_msg(fd >= 0, "%s", error.sentence);
    close(fd);
}

static void expect_failure(enum lazy_failure failure)
{
    ck_assert_int_eq(reach(), -1);
    ck_assert_msg(error.failure == failure, "%d: %s", error.failure, error.sentence);
}

static const char *state_path(const char *suffix)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s%s", app->state_dir, app->name, suffix);
    return path;
}

static struct lazy_state read_state(void)
{
    struct lazy_state state;

    lazy_state_read(AT_FDCWD, state_path(".state"), &state);
    return state;
}

static void write_state(const struct lazy_state *state)
{
    int folder;

    mkdir(app->state_dir, 0700);
    folder = open(app->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(lazy_state_write(folder, "app.cgi.state", "app.cgi.state.new", "", state), 0);
    close(folder);
}

static enum lazy_lock take_lock(int *lock)
{
    return lazy_lock_take(AT_FDCWD, state_path(".lock"), lock, &error);
}

/* No starter is at work. */
static bool is_settled(void)
{
    int lock;

    if (access(state_path(".lock"), F_OK) < 0)
        return true;
    if (take_lock(&lock) != LAZY_LOCK_TAKEN)
        return false;
    lazy_lock_release(lock);
    return true;
}

static void listen_at(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 64) < 0)
        _exit(1);
}

/* Makes a server each time that a start command has opened the FIFO `go`, as a process of its own that
 * can be stopped; nobody has to wait for that but the kernel. */
static void keep(void)
{
    int ends[2];

    ck_assert_int_eq(mkfifo("go", 0600), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    keeper_link = ends[0];
    keeper = fork();
    ck_assert_int_ge(keeper, 0);
    if (keeper > 0) {
        close(ends[1]);
        return;
    }
    close(ends[0]);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGTERM, SIG_DFL); /* libcheck's handler would end the tests */
    for (;;) {
        int go = open("go", O_RDONLY | O_CLOEXEC);
        char byte;

        while (read(go, &byte, 1) > 0) /* until the command has closed it */
            ;
        close(go);
        if (fork() > 0)
            continue;
        listen_at(&app->address.to.un);
        _exit(read(ends[1], &byte, 1) == 0 ? 0 : 1); /* until the test ends */
    }
}

static void end(void)
{
    struct lazy_state state;
    char byte;

    if (app != NULL) {
        unit_wait(is_settled());
        state = read_state();
        if (lazy_process_alive(&state.command))
            kill(-state.command.pid, SIGKILL);
    }
    if (keeper > 0) {
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
        shutdown(keeper_link, SHUT_WR);
        ck_assert_int_eq(read(keeper_link, &byte, 1), 0); /* all servers have ended */
        close(keeper_link);
    }
    ck_assert_int_eq(unit_descriptors(), descriptors);
}

static pid_t server_of(int fd)
{
    pid_t pid = 0;
    uid_t user;

    lazy_address_peer(&app->address, fd, &user, &pid);
    return pid;
}

START_TEST(nobody_listens_and_nobody_can_be_started)
{
    app = unit_app("socket = ./s");
    expect_failure(LAZY_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(error.sentence, "no 'start'"));
    ck_assert_int_ne(access(app->state_dir, F_OK), 0);
}
END_TEST

/* The healthy path leaves no trace. */
START_TEST(a_server_that_is_up_leaves_no_trace)
{
    int server, fd;

    app = unit_app(NEVER_UP "socket = ./s");
    server = unit_listen(app->socket, 4);
    fd = reach();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_ne(access(app->state_dir, F_OK), 0);
    ck_assert_str_eq(starts(), "");
    close(fd);
    close(server);
}
END_TEST

static void touch(void)
{
    static struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    times[1].tv_sec++;
    ck_assert_int_eq(utimensat(AT_FDCWD, "app.cgi", times, 0), 0);
    ck_assert_int_eq(lazy_app_load(app, unit_path("app.cgi"), NULL, &error), 0);
}

static void set_next_start(long long in_seconds)
{
    struct lazy_state state = read_state();

    state.next_start = time(NULL) + in_seconds;
    write_state(&state);
}

START_TEST(after_a_failed_start_the_next_is_due_later)
{
    struct lazy_state state;

    app = unit_app(COMMAND "exit 3");
    expect_failure(LAZY_START);
    ck_assert_int_ge(error.retry_after, 1);
    unit_wait(is_settled());
    state = read_state();
    ck_assert_int_eq(state.outcome, LAZY_STATE_FAILED);
    ck_assert_int_eq(state.exit_status, 3);
    ck_assert_int_eq(state.failures, 1);

    set_next_start(50);
    expect_failure(LAZY_START);
    ck_assert_ptr_nonnull(strstr(error.sentence, "exited with status 3"));
    ck_assert_int_ge(error.retry_after, 30);
    ck_assert_str_eq(starts(), "x\n");
    touch();
    expect_failure(LAZY_START);
    ck_assert_str_eq(starts(), "x\nx\n");
    unit_wait(is_settled());
    set_next_start(0);
    expect_failure(LAZY_START);
    ck_assert_str_eq(starts(), "x\nx\nx\n");
    unit_wait(is_settled());
    set_next_start(100000); /* the clock was set back */
    expect_failure(LAZY_START);
    ck_assert_str_eq(starts(), "x\nx\nx\nx\n");
}
END_TEST

static const struct {
    const char *text, *sentence;
} failing[] = {
    {"start = kill -9 $$", "signal 9"},
    {"start = exec sleep 30\nstart-timeout = 200ms\npatience = 20s", "start-timeout"},
    {"start = true\nstart-timeout = 200ms\npatience = 20s", "start-timeout"},
};

START_TEST(failing_starts)
{
    app = unit_app(failing[_i].text);
    expect_failure(LAZY_START);
    ck_assert_ptr_nonnull(strstr(error.sentence, failing[_i].sentence));
    ck_assert_int_ge(error.retry_after, 1);
}
END_TEST

START_TEST(a_leftover_socket_is_no_obstacle)
{
    app = unit_app(GOES_UP);
    ck_assert_int_eq(mkdir(app->state_dir, 0700), 0);
    close(unit_listen(app->socket, 1));
    keep();
    expect_up();
    ck_assert_str_eq(starts(), "x\n");
    unit_wait(is_settled());
    ck_assert_int_eq(read_state().outcome, LAZY_STATE_UP);
    ck_assert_int_eq(read_state().failures, 0);
    expect_up();
    ck_assert_int_eq(asked, 1);
    ck_assert_int_eq(events[LAZY_EVENT_START], 1);
    ck_assert_int_eq(events[LAZY_EVENT_UP], 1);
    touch();
    expect_up();
    ck_assert_int_eq(asked, 2);
    ck_assert_int_eq(events[LAZY_EVENT_START], 1);
    ck_assert_int_eq(events[LAZY_EVENT_RESTART], 1);
    ck_assert_int_eq(events[LAZY_EVENT_UP], 2);
}
END_TEST

/* The start goes on all the same: the next request may find the server. */
START_TEST(who_may_not_wait_has_it_started)
{
    app = unit_app(GOES_UP);
    ck_assert_int_eq(mkdir(app->state_dir, 0700), 0);
    keep();
    may_wait = false;
    expect_failure(LAZY_PATIENCE);
    ck_assert_int_ge(error.retry_after, 1);
    ck_assert_ptr_nonnull(strstr(error.sentence, "no more requests may wait"));
    unit_wait(lazy_address_listens(&app->address, NULL));
    unit_wait(is_settled());
    expect_up();
    ck_assert_int_eq(asked, 1);
    ck_assert_str_eq(starts(), "x\n");
}
END_TEST

/* What the herd met: shared by its threads, or its processes. */
static int met[HERD * REQUESTS];
static pthread_barrier_t barrier;

static void *meet(void *context)
{
    struct lazy_front own = {.visitor = -1};
    int *found = context;

    pthread_barrier_wait(&barrier);
    for (int i = 0; i < REQUESTS; i++) {
        struct lazy_error failure = {.failure = LAZY_OK};
        int fd = lazy_connect(app, &own, &failure);

        found[i] = fd >= 0 ? server_of(fd) : -(int)failure.failure;
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

/* All must meet the same: a server's pid, or minus a failure. */
static int meet_by_threads(void)
{
    pthread_t threads[HERD];

    pthread_barrier_init(&barrier, NULL, HERD);
    for (int i = 0; i < HERD; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, meet, met + i * REQUESTS), 0);
    for (int i = 0; i < HERD; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    for (int i = 1; i < HERD * REQUESTS; i++)
        ck_assert_int_eq(met[i], met[0]);
    return met[0];
}

static int meet_by_processes(void)
{
    int gate[2], results[2], server = 0;

    ck_assert_int_eq(pipe(gate), 0);
    ck_assert_int_eq(pipe(results), 0);
    pthread_barrier_init(&barrier, NULL, 1);
    for (int i = 0; i < HERD; i++) {
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            char byte;

            close(gate[1]);
            while (read(gate[0], &byte, 1) > 0)
                ;
            meet(met);
            _exit(write(results[1], met, REQUESTS * sizeof *met) < 0);
        }
    }
    close(results[1]);
    close(gate[0]);
    close(gate[1]); /* go */
    for (int i = 0, found; i < HERD * REQUESTS; i++) {
        ck_assert_int_eq(read(results[0], &found, sizeof found), sizeof found);
        if (i == 0)
            server = found;
        ck_assert_int_eq(found, server);
    }
    close(results[0]);
    for (int i = 0; i < HERD; i++)
        wait(NULL);
    pthread_barrier_destroy(&barrier);
    return server;
}

static int (*const herds[])(void) = {meet_by_threads, meet_by_processes};

START_TEST(a_herd_at_a_cold_server)
{
    app = unit_app(GOES_UP);
    keep();
    ck_assert_int_gt(herds[_i](), 1);
    ck_assert_str_eq(starts(), "x\n");
}
END_TEST

START_TEST(a_herd_at_a_failing_start)
{
    struct lazy_state state = {.outcome = LAZY_STATE_FAILED, .failures = 9};

    app = unit_app(COMMAND "exit 3");
    write_state(&state); /* so that no next start is due for a minute */
    ck_assert_int_eq(herds[_i](), -LAZY_START);
    ck_assert_str_eq(starts(), "x\n");
}
END_TEST

static const char *silence_path(void)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/app.cgi.silence", app->state_dir);
    return path;
}

/* Fills the queue of a server that accepts nothing; returns the connection that does. */
static int fill(int *server)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *server = unit_listen(app->socket, 0);
    ck_assert_int_eq(connect(fd, &app->address.to.any, app->address.length), 0);
    return fd;
}

START_TEST(a_full_queue_starts_nothing)
{
    int server, fd;

    app = unit_app(NEVER_UP "socket = ./s");
    fd = fill(&server);
    expect_failure(LAZY_BUSY);
    ck_assert_int_ge(error.retry_after, 1);
    ck_assert_str_eq(starts(), "");
    ck_assert_int_eq(events[LAZY_EVENT_HUNG], 0);
    close(fd);
    close(server);
}
END_TEST

/* Its queue is as full as its processes stand still: nobody has been answered for long. */
START_TEST(a_queue_that_stays_full_is_a_hang)
{
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_nsec = UTIME_OMIT}};
    struct lazy_state state = {.outcome = LAZY_STATE_UP};
    int server, fd;

    app = unit_app(NEVER_UP "hang-limit = 2\nsocket = ./s");
    fd = fill(&server);
    write_state(&state);
    for (int i = 0; i < 2; i++) {
        expect_failure(LAZY_BUSY);
        ck_assert_int_eq(events[LAZY_EVENT_HUNG], 0);
        ck_assert_int_eq(utimensat(AT_FDCWD, silence_path(), times, 0), 0);
    }
    expect_failure(LAZY_BUSY);
    ck_assert_int_eq(events[LAZY_EVENT_HUNG], 1);
    ck_assert_ptr_nonnull(strstr(error.sentence, "it hangs"));
    unit_wait(is_settled()); /* it can't be stopped: it is ourselves */
    ck_assert_str_eq(starts(), "");
    close(fd);
    close(server);
}
END_TEST

static const struct {
    char kind; /* of what lies at `s`: a folder, an open one, a link, a pipe, a text file, or nothing */
    const char *keys;
    enum lazy_failure failure;
} obstacles[] = {
    {'t', "socket = ./s", LAZY_UNREACHABLE},
    {'p', "socket = ./s", LAZY_UNREACHABLE},
    {'f', "socket = ./s", LAZY_UNREACHABLE},
    {'n', "state-dir = missing/s", LAZY_FOLDER},
    {'t', "state-dir = s", LAZY_FOLDER},
    {'t', "state-dir = s\nsocket = ./other", LAZY_FOLDER},
    {'l', "state-dir = s", LAZY_FOLDER},
    {'o', "state-dir = s", LAZY_FOLDER},
};

START_TEST(obstacles_start_nothing)
{
    char text[256];

    switch (obstacles[_i].kind) {
    case 't':
        unit_write("s", "", 0600);
        break;
    case 'p':
        ck_assert_int_eq(mkfifo("s", 0600), 0);
        break;
    case 'l':
        ck_assert_int_eq(mkdir("target", 0700) + symlink("target", "s"), 0);
        break;
    case 'f':
        ck_assert_int_eq(mkdir("s", 0700), 0);
        break;
    case 'o':
        ck_assert_int_eq(mkdir("s", 0700) + chmod("s", 0770), 0);
    }
    snprintf(text, sizeof text, NEVER_UP "%s", obstacles[_i].keys);
    app = unit_app(text);
    expect_failure(obstacles[_i].failure);
    ck_assert_str_eq(starts(), "");
}
END_TEST

START_TEST(a_visitor_who_leaves_is_noticed)
{
    int ends[2], lock, server = -1, fd = -1;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    front.visitor = ends[0];
    close(ends[1]);
    app = unit_app(COMMAND "exec sleep 30\nsocket = ./s");
    if (_i == 1) { /* somebody else is at it */
        ck_assert_int_eq(mkdir(app->state_dir, 0700), 0);
        ck_assert_int_eq(take_lock(&lock), LAZY_LOCK_TAKEN);
    }
    if (_i == 2)
        fd = fill(&server);
    expect_failure(LAZY_VISITOR_GONE);
    if (_i == 0) { /* the start goes on */
        unit_wait(strcmp(starts(), "x\n") == 0);
        ck_assert(!is_settled());
        server = unit_listen(app->socket, 1);
        unit_wait(is_settled());
        ck_assert_int_eq(read_state().outcome, LAZY_STATE_UP);
    }
    if (_i == 1)
        lazy_lock_release(lock);
    if (server >= 0)
        close(server);
    if (fd >= 0)
        close(fd);
    close(ends[0]);
}
END_TEST

static pid_t parent_of(pid_t pid)
{
    char path[64];
    const char *found;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    found = strstr(unit_read(path), "\nPPid:");
    return found != NULL ? (pid_t)atoi(found + 6) : 0;
}

static void kill_starter(pid_t starter)
{
    ck_assert_int_eq(kill(starter, SIGKILL), 0);
    unit_wait(is_settled());
}

static void delete_lock(pid_t starter)
{
    ck_assert_int_gt(starter, 1);
    ck_assert_int_eq(unlink(state_path(".lock")), 0);
}

static void do_nothing(pid_t starter)
{
    ck_assert_int_gt(starter, 1);
}

static void (*const disturbances[])(pid_t) = {do_nothing, kill_starter, delete_lock};

/* A start under way remains the only one, whatever happens to what guards it. */
START_TEST(a_start_under_way_stays_the_only_one)
{
    pid_t starter;
    int server;

    app = unit_app(NEVER_UP);
    expect_failure(LAZY_PATIENCE);
    ck_assert_int_ge(error.retry_after, 1);
    unit_wait(strcmp(starts(), "x\n") == 0);
    starter = parent_of(read_state().command.pid);
    ck_assert_int_gt(starter, 1);
    disturbances[_i](starter);
    expect_failure(LAZY_PATIENCE);
    ck_assert_int_eq(read_state().outcome, LAZY_STATE_STARTING);
    server = unit_listen(app->socket, 8);
    expect_up();
    unit_wait(lazy_process_start(starter) == 0);
    unit_wait(is_settled());
    ck_assert_int_eq(read_state().outcome, LAZY_STATE_UP);
    ck_assert_str_eq(starts(), "x\n");
    close(server);
}
END_TEST

START_TEST(a_killed_leader)
{
    pid_t leader;
    int server;

    app = unit_app(COMMAND "exec sleep 30");
    leader = fork();
    ck_assert_int_ge(leader, 0);
    if (leader == 0)
        _exit(reach());
    unit_wait(strcmp(starts(), "x\n") == 0);
    ck_assert_int_eq(kill(leader, SIGKILL), 0);
    ck_assert_int_eq(waitpid(leader, NULL, 0), leader);
    ck_assert(!is_settled());
    server = unit_listen(app->socket, 8);
    expect_up();
    unit_wait(is_settled());
    ck_assert_int_eq(read_state().outcome, LAZY_STATE_UP);
    ck_assert_str_eq(starts(), "x\n");
    close(server);
}
END_TEST

/* Touched; or a starter was killed between stopping the server and starting it anew. */
START_TEST(a_restart_is_one_start)
{
    static struct lazy_app stale;
    struct lazy_app *fresh;
    struct lazy_state state;
    pid_t before, after;

    app = fresh = unit_app(GOES_UP);
    ck_assert_int_eq(lazy_app_load(&stale, fresh->file, NULL, &error), 0);
    keep();
    before = meet_by_threads();
    unit_wait(is_settled());
    state = read_state();
    if (_i == 0) {
        touch();
        app = &stale; /* of a request that read the file before */
        expect_up();
        ck_assert_str_eq(starts(), "x\n");
        app = fresh;
    } else {
        state.outcome = LAZY_STATE_STOPPING;
        write_state(&state);
    }
    after = meet_by_threads();
    ck_assert_int_gt(after, 1);
    ck_assert_int_ne(after, before);
    ck_assert_int_eq(lazy_process_start(before), 0);
    ck_assert_str_eq(starts(), "x\nx\n");
}
END_TEST

/* A server that runs with yesterday's app file is better than none. */
START_TEST(an_old_server_is_better_than_none)
{
    app = unit_app(GOES_UP);
    keep();
    expect_up();
    unit_wait(is_settled());
    touch();
    ck_assert_int_eq(chmod(app->state_dir, 0770), 0);
    expect_up();
    ck_assert_int_eq(events[LAZY_EVENT_NOTICE], 1);
    ck_assert_int_eq(chmod(app->state_dir, 0700), 0);
    ck_assert_str_eq(starts(), "x\n");
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

Suite *server_suite(void)
{
    Suite *suite = suite_create("server");
    TCase *tcase = unit_case(suite, "server");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, nobody_listens_and_nobody_can_be_started);
    tcase_add_test(tcase, a_server_that_is_up_leaves_no_trace);
    tcase_add_test(tcase, after_a_failed_start_the_next_is_due_later);
    tcase_add_loop_test(tcase, failing_starts, 0, COUNT(failing));
    tcase_add_test(tcase, a_leftover_socket_is_no_obstacle);
    tcase_add_test(tcase, who_may_not_wait_has_it_started);
    tcase_add_loop_test(tcase, a_herd_at_a_cold_server, 0, COUNT(herds));
    tcase_add_loop_test(tcase, a_herd_at_a_failing_start, 0, COUNT(herds));
    tcase_add_test(tcase, a_full_queue_starts_nothing);
    tcase_add_test(tcase, a_queue_that_stays_full_is_a_hang);
    tcase_add_loop_test(tcase, obstacles_start_nothing, 0, COUNT(obstacles));
    tcase_add_loop_test(tcase, a_visitor_who_leaves_is_noticed, 0, 3);
    tcase_add_loop_test(tcase, a_start_under_way_stays_the_only_one, 0, COUNT(disturbances));
    tcase_add_test(tcase, a_killed_leader);
    tcase_add_loop_test(tcase, a_restart_is_one_start, 0, 2);
    tcase_add_test(tcase, an_old_server_is_better_than_none);
    return suite;
}

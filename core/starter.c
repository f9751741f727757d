#include "starter.h"

#include "deadline.h"
#include "lock.h"
#include "spawn.h"
#include "stop.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBE_STEP_MS 4   /* at most, between two looks for the server */
#define WATCH_STEP_MS 10  /* at most, between two looks at a process that isn't our child */

void lazy_names_set(struct lazy_names *names, const struct lazy_app *app)
{
    lazy_app_file_name(app, ".lock", names->lock);
    lazy_app_file_name(app, ".state", names->state);
    lazy_app_file_name(app, ".state.new", names->state_new);
    lazy_app_file_name(app, ".wait", names->bell);
}

int lazy_starter_failure(const struct lazy_app *app, const struct lazy_state *state,
                         struct lazy_error *error)
{
    long long left = state->next_start - (long long)time(NULL);

    left = left < 1 ? 1 : left;
    lazy_error_set(error, LAZY_START, 0,
                   "%s; its output is in %s; the next start is due in %lld s, or once the app file "
                   "is touched", state->reason, app->log, left);
    error->retry_after = (int)left;
    return -1;
}

static void tell_leader(struct lazy_starter *starter, const struct lazy_error *message)
{
    if (starter->link >= 0)
        send(starter->link, message, sizeof *message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Failures that can't be recorded go to the leader alone. */
static void tell_failure(struct lazy_starter *starter, enum lazy_failure failure, int errnum,
                         const char *what, const char *name)
{
    struct lazy_error message;

    lazy_error_set(&message, failure, errnum, "%s%s", what, name);
    tell_leader(starter, &message);
}

static void tell_begin(struct lazy_starter *starter)
{
    struct lazy_error message = {.failure = LAZY_OK};

    tell_leader(starter, &message);
}

static int record(struct lazy_starter *starter)
{
    int result = lazy_state_write(starter->folder, starter->names->state,
                                  starter->names->state_new, starter->app->file, &starter->state);

    if (result < 0)
        tell_failure(starter, LAZY_FOLDER, errno, "the state can't be written in ",
                     starter->app->state_dir);
    return result;
}

static void record_up(struct lazy_starter *starter)
{
    struct lazy_state *state = &starter->state;

    state->outcome = LAZY_STATE_UP;
    state->ended = time(NULL);
    state->up_ticks = lazy_process_now();
    state->failures = 0;
    state->next_start = 0;
    state->reason[0] = '\0';
    record(starter);
}

/* The reason of a failure: what happened, a number, and what it means. */
static void set_reason(struct lazy_state *state, const char *what, int number,
                       const char *meaning)
{
    struct lazy_text text;

    lazy_text_begin(&text, state->reason, sizeof state->reason);
    lazy_text_format(&text, "the start command %s%d%s", what, number, meaning);
}

static void set_timeout_reason(struct lazy_state *state, const struct lazy_app *app)
{
    struct lazy_text text;

    lazy_text_begin(&text, state->reason, sizeof state->reason);
    lazy_text_format(&text, "no server listened at %s within 'start-timeout', ", app->socket);
    lazy_text_duration(&text, app->settings.start_timeout);
}

/* Ends what is left of the start command, so that the next start won't run beside it, and records
 * the failure that state->reason tells. */
static void record_failure(struct lazy_starter *starter)
{
    struct lazy_state *state = &starter->state;
    struct lazy_error message;
    long long pause = 1;

    lazy_stop_session(&state->command);
    for (long long i = 0; i < state->failures && pause < LAZY_BACK_OFF_MAX_S; i++)
        pause *= 2;
    state->outcome = LAZY_STATE_FAILED;
    state->ended = time(NULL);
    state->failures++;
    if (pause > LAZY_BACK_OFF_MAX_S)
        pause = LAZY_BACK_OFF_MAX_S;
    state->next_start = state->ended + pause + 1; /* the present second is partly over */
    if (record(starter) < 0)
        return;
    lazy_starter_failure(starter->app, state, &message);
    tell_leader(starter, &message);
}

static bool server_listens(const struct lazy_app *app)
{
    enum lazy_outcome outcome;
    int fd;

    outcome = lazy_address_connect(&app->address, 0, &fd);
    if (outcome == LAZY_UP)
        close(fd);
    return outcome == LAZY_UP || outcome == LAZY_FULL;
}

enum command_fate { COMMAND_RUNS, COMMAND_LEFT, COMMAND_FAILED };

/* How the start command fares; its exit status 0 means that it has left a server behind. It isn't
 * reaped: as a zombie it keeps its number, and its session's, from coming round. */
static enum command_fate look_at_command(struct lazy_state *state, bool is_child)
{
    siginfo_t info = {.si_pid = 0};

    if (!is_child)
        return lazy_process_alive(&state->command) ? COMMAND_RUNS : COMMAND_LEFT;
    if (waitid(P_PID, (id_t)state->command.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return COMMAND_RUNS;
    if (info.si_code == CLD_EXITED) {
        state->exit_status = info.si_status;
        if (info.si_status == 0)
            return COMMAND_LEFT;
        set_reason(state, "exited with status ", info.si_status,
                   info.si_status == 127   ? " (command not found)"
                   : info.si_status == 126 ? " (command can't be run)"
                                           : "");
    } else {
        state->signal = info.si_status;
        set_reason(state, "was ended by signal ", info.si_status, "");
    }
    return COMMAND_FAILED;
}

static void on_child(int number)
{
    (void)number; /* only to end ppoll */
}

/* Lets SIGCHLD in only while ppoll sleeps: no end of the command can slip through before it. */
static void catch_child(sigset_t *while_asleep)
{
    struct sigaction action;
    sigset_t blocked;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_child;
    sigaction(SIGCHLD, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, while_asleep);
    sigdelset(while_asleep, SIGCHLD);
}

/* Sleeps until the leader speaks or goes, the command ends, or `timeout` ms. True: it has spoken. */
static bool listen_to_leader(struct lazy_starter *starter, int timeout, const sigset_t *asleep)
{
    struct timespec limit = {.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L};
    struct pollfd link = {.fd = starter->link, .events = POLLIN};
    char byte;

    if (ppoll(&link, 1, &limit, asleep) <= 0 || link.revents == 0)
        return false;
    if (recv(starter->link, &byte, 1, MSG_DONTWAIT) == 1)
        return true;
    close(starter->link);
    starter->link = -1;
    return false;
}

/* Watches until the server listens or the start has failed. The start is `is_child`'s own, or one
 * that a starter before us left behind. False: that one has ended without a server, unwatched. */
static bool watch(struct lazy_starter *starter, bool is_child, const sigset_t *asleep)
{
    struct lazy_state *state = &starter->state;
    long long begin = lazy_now(), deadline = begin + starter->app->settings.start_timeout;
    enum command_fate fate;
    bool up = false;

    while (!up) {
        int left = lazy_deadline_left(deadline);
        int step = lazy_step(lazy_now() - begin, starter->link < 0 ? PROBE_STEP_MS : WATCH_STEP_MS);

        if (starter->link >= 0 && is_child)
            step = left;
        up = listen_to_leader(starter, step < left ? step : left, asleep);
        if (!up && starter->link < 0)
            up = server_listens(starter->app);
        if (up)
            break;
        fate = look_at_command(state, is_child);
        if (fate == COMMAND_LEFT && !is_child)
            return false;
        if (fate != COMMAND_FAILED && left > 0)
            continue;
        if (fate != COMMAND_FAILED)
            set_timeout_reason(state, starter->app);
        record_failure(starter);
        return true;
    }
    record_up(starter);
    return true;
}

/* Starts the command, recorded before it runs: a starter killed anywhere in between leaves either
 * nothing running or something its successor knows of. */
static bool start_command(struct lazy_starter *starter)
{
    const struct lazy_app *app = starter->app;
    struct lazy_state *state = &starter->state;
    struct lazy_text stamp;
    int log = lazy_spawn_log(app), go;
    pid_t child;

    state->started = time(NULL);
    state->ended = state->up_ticks = state->signal = 0;
    state->exit_status = -1;
    if (log < 0) {
        tell_failure(starter, LAZY_START, errno, "the log can't be opened: ", app->log);
        return false;
    }
    lazy_stop_clear_socket(app);
    child = lazy_spawn_command(app, log, &go);
    close(log);
    if (child < 0) {
        tell_failure(starter, LAZY_START, errno, "no process can be made for ", "the start command");
        return false;
    }
    state->outcome = LAZY_STATE_STARTING;
    state->command = (struct lazy_process){.pid = child, .start = lazy_process_start(child)};
    lazy_text_begin(&stamp, state->stamp, sizeof state->stamp);
    lazy_text_add(&stamp, app->stamp.text);
    if (record(starter) == 0 && send(go, "", 1, MSG_NOSIGNAL) == 1) {
        close(go);
        return true;
    }
    close(go); /* the child sees the end and never runs the command */
    return false;
}

/* Stops the server of the last start. False: it could not be, or somebody else serves; then the
 * new stamp is recorded all the same, so that not every request tries again. */
static bool stop_server(struct lazy_starter *starter)
{
    const struct lazy_app *app = starter->app;
    struct lazy_state *state = &starter->state;
    struct lazy_error notice;
    struct lazy_text stamp;

    state->outcome = LAZY_STATE_STOPPING;
    if (record(starter) < 0)
        return false;
    if (lazy_stop_server(state, &starter->server) && !server_listens(app))
        return true;
    state->outcome = LAZY_STATE_UP;
    lazy_text_begin(&stamp, state->stamp, sizeof state->stamp);
    lazy_text_add(&stamp, app->stamp.text);
    record(starter);
    lazy_error_set(&notice, LAZY_OK, 0,
                   "the app file was touched, but the server at %s could not be stopped; stop it "
                   "yourself, the next request will start it", app->socket);
    tell_leader(starter, &notice);
    return false;
}

static void run(void *context)
{
    struct lazy_starter *starter = context;
    sigset_t asleep;
    bool known;

    catch_child(&asleep);
    known = starter->state.outcome == LAZY_STATE_STARTING && !starter->restart &&
            lazy_process_alive(&starter->state.command);
    if (starter->restart && !stop_server(starter))
        goto out;
    if (known) {
        tell_begin(starter);
        known = watch(starter, false, &asleep);
    }
    if (!known && start_command(starter)) {
        tell_begin(starter);
        watch(starter, true, &asleep);
    }
out:
    lazy_lock_release(starter->lock); /* before the bell rings at our end */
}

int lazy_starter_spawn(struct lazy_starter *starter)
{
    int keep[4] = {starter->folder, starter->lock, starter->link, starter->bell};

    return lazy_spawn_detached(run, starter, keep, starter->bell < 0 ? 3 : 4);
}

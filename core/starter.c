#include "starter.h"

#include "bell.h"
#include "call.h"
#include "clock.h"
#include "due.h"
#include "hang.h"
#include "lock.h"
#include "mark.h"
#include "spawn.h"
#include "stop.h"
#include "text.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_STEP_MS 20

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
    long long left = state->next_start - lazy_clock_wall();

    left = left < 1 ? 1 : left;
    lazy_error_set(error, LAZY_START, 0,
                   "%s; its output is in %s; the next start is due in %lld s, or once the app file "
                   "is touched", state->reason, app->log, left);
    error->retry_after = (int)left;
    return -1;
}

/* Without a leader the owner finds it in the log. A leader that can't be told must not go on waiting for
 * it: without us it looks for itself. */
static void tell_leader(struct lazy_starter *starter, const struct lazy_error *message)
{
    int log;

    if (starter->link >= 0) {
        if (send(starter->link, message, sizeof *message, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
            return;
        close(starter->link);
        starter->link = -1;
    }
    if (message->sentence[0] != '\0' && (log = lazy_spawn_log(starter->app)) >= 0) {
        lazy_spawn_note(log, message->sentence);
        close(log);
    }
}

static void tell_begin(struct lazy_starter *starter)
{
    struct lazy_error message = {.failure = LAZY_OK};

    tell_leader(starter, &message);
}

/* A state that calls for nothing while the app file stays as it is gets its mark. */
static int write_state(struct lazy_starter *starter)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, starter->app->stamp.mark};
    enum lazy_state_outcome outcome = starter->state.outcome;

    if (lazy_state_write(starter->folder, starter->names->state, starter->names->state_new,
                         starter->app->file, &starter->state) < 0)
        return -1;
    if (outcome == LAZY_STATE_STARTING || outcome == LAZY_STATE_UP)
        lazy_call_times(starter->folder, starter->names->state, times, AT_SYMLINK_NOFOLLOW);
    return 0;
}

/* A state that can't be recorded is the leader's alone to tell. */
static int record(struct lazy_starter *starter)
{
    struct lazy_error message;

    if (write_state(starter) == 0)
        return 0;
    lazy_error_set(&message, LAZY_FOLDER, errno, "the state can't be written in %s",
                   starter->app->state_dir);
    tell_leader(starter, &message);
    return -1;
}

static void set_stamp(struct lazy_starter *starter)
{
    struct lazy_text stamp;

    lazy_text_begin(&stamp, starter->state.stamp, sizeof starter->state.stamp);
    lazy_text_add(&stamp, starter->app->stamp.text);
}

static void record_up(struct lazy_starter *starter)
{
    struct lazy_state *state = &starter->state;

    state->outcome = LAZY_STATE_UP;
    state->ended = lazy_clock_wall();
    state->server.start = lazy_process_start(state->server.pid);
    state->failures = 0;
    lazy_hang_end(starter->app);
    record(starter);
}

/* Ends what is left of the start command, so that the next start won't run beside it, and records
 * the failure that state->reason tells. */
static void record_failure(struct lazy_starter *starter)
{
    struct lazy_state *state = &starter->state;
    struct lazy_error message;

    lazy_stop_start(starter->app, state);
    state->outcome = LAZY_STATE_FAILED;
    state->ended = lazy_clock_wall();
    state->failures++;
    /* one more, for the present second is partly over */
    state->next_start = state->ended + lazy_due_pause(state->failures) + 1;
    if (record(starter) < 0)
        return;
    lazy_starter_failure(starter->app, state, &message);
    tell_leader(starter, &message);
}

/* Records a start that came to nothing before there was a command. */
static void record_no_command(struct lazy_starter *starter, const char *what, const char *name)
{
    struct lazy_error error;
    struct lazy_text reason;

    lazy_error_set(&error, LAZY_START, errno, "%s%s", what, name);
    lazy_text_begin(&reason, starter->state.reason, sizeof starter->state.reason);
    lazy_text_add(&reason, error.sentence);
    record_failure(starter);
}

/* In the command's own process, which has the lock as well: if the starter is killed meanwhile, nobody
 * can start another command before this one is on record. */
static int record_command(void *context)
{
    struct lazy_starter *starter = context;
    pid_t self = getpid();

    starter->state.command = (struct lazy_process){.pid = self, .start = lazy_process_start(self)};
    return write_state(starter);
}

static void start_command(struct lazy_starter *starter)
{
    const struct lazy_app *app = starter->app;
    struct lazy_state *state = &starter->state;
    int log = lazy_spawn_log(app);
    pid_t child;

    *state = (struct lazy_state){.outcome = LAZY_STATE_STARTING, .started = lazy_clock_wall(),
                                 .exit_status = -1, .failures = state->failures};
    set_stamp(starter);
    if (log < 0) {
        record_no_command(starter, "the log can't be opened: ", app->log);
        return;
    }
    lazy_stop_clear_socket(app);
    child = lazy_spawn_command(app, app->settings.start, log, record_command, starter);
    if (child < 0)
        record_no_command(starter, "no process can be made for the start command", "");
    close(log);
    if (child < 0)
        return;
    state->command = (struct lazy_process){.pid = child, .start = lazy_process_start(child)};
    tell_begin(starter);
    if (lazy_watch(starter, true) == LAZY_WATCH_UP)
        record_up(starter);
    else
        record_failure(starter);
}

/* Goes on with a start whose starter was killed. False: nothing came of it. */
static bool go_on(struct lazy_starter *starter)
{
    tell_begin(starter);
    switch (lazy_watch(starter, false)) {
    case LAZY_WATCH_UP:
        record_up(starter);
        return true;
    case LAZY_WATCH_FAILED:
        record_failure(starter);
        return true;
    default:
        return false;
    }
}

/* Stops the server of the last start. False: it could not be, or somebody else serves; then the
 * new stamp is recorded all the same, so that not every request tries again. */
static bool stop_server(struct lazy_starter *starter)
{
    const struct lazy_app *app = starter->app;
    struct lazy_state *state = &starter->state;
    struct lazy_error notice;

    state->outcome = LAZY_STATE_STOPPING;
    if (record(starter) < 0)
        return false;
    lazy_stop_server(app, state);
    if (!lazy_address_listens(&app->address, NULL))
        return true;
    state->outcome = LAZY_STATE_UP;
    set_stamp(starter);
    record(starter);
    lazy_error_set(&notice, LAZY_OK, 0,
                   "the server at %s could not be stopped to be restarted: stop it yourself, or set "
                   "'stop'; the next request starts it", app->socket);
    tell_leader(starter, &notice);
    return false;
}

/* False: there is no start to be made. */
static bool make_way(struct lazy_starter *starter)
{
    if (starter->restart)
        return stop_server(starter);
    if (starter->state.outcome == LAZY_STATE_STARTING && go_on(starter))
        return false;
    lazy_stop_rest(starter->app, &starter->state);
    return true;
}

/* A start was decided on under the lock, whose file may have been deleted since, or even before. With the
 * mark as well we can't be one of two: either our lock is gone, or whoever has the next one sees our mark,
 * waits for our end, and finds what we have done. False: whoever sent us has to look again. */
static bool is_still_due(struct lazy_starter *starter)
{
    bool is_current, has_waited = false;

    starter->mark = lazy_mark_set(starter->app->file);
    while ((is_current = lazy_lock_is_current(starter->folder, starter->names->lock, starter->lock)) &&
           lazy_mark_is_shared(starter->mark)) {
        has_waited = true;
        poll(NULL, 0, MARK_STEP_MS);
    }
    lazy_state_read(starter->folder, starter->names->state, &starter->state);
    return is_current && !has_waited && starter->state.outcome != LAZY_STATE_UNREAD &&
           (starter->restart || !lazy_address_listens(&starter->app->address, NULL));
}

static void run(void *context)
{
    struct lazy_starter *starter = context;

    lazy_hang_end(starter->app);
    if (is_still_due(starter) && make_way(starter))
        start_command(starter);
    if (starter->mark >= 0)
        close(starter->mark); /* before the lock, or our successor would wait for our end */
    lazy_lock_release(starter->lock); /* before the bell rings at our end */
}

int lazy_starter_spawn(struct lazy_starter *starter)
{
    int bell = lazy_bell_hold(starter->folder, starter->names->bell), errnum;
    int keep[4] = {starter->folder, starter->lock, starter->link, bell}; /* rings when the starter ends */
    int result = lazy_spawn_detached(run, starter, keep, 4);

    errnum = errno;
    if (bell >= 0)
        close(bell);
    if (result == 0)
        close(starter->lock); /* the starter has it now */
    else
        lazy_lock_release(starter->lock);
    errno = errnum;
    return result;
}

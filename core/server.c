#include "server.h"

#include "attempt.h"
#include "bell.h"
#include "call.h"
#include "deadline.h"
#include "due.h"
#include "folder.h"
#include "leader.h"
#include "lock.h"
#include "restart.h"
#include "starter.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLICE_MS 250 /* how long we stay in the kernel's line before we look for the visitor */
#define NET_MS 250   /* a bell that was deleted never rings: look again anyway */
#define NO_BELL_STEP_MS 20
#define BUSY_RETRY_S 2
#define MEMO_MS 250

static enum lazy_progress too_busy(struct lazy_attempt *attempt)
{
    lazy_error_set(attempt->error, LAZY_BUSY, 0,
                   "the queue of the server at %s stays full: give the server more workers or a "
                   "longer listen queue", attempt->app->socket);
    attempt->error->retry_after = BUSY_RETRY_S;
    lazy_restart_hung(attempt->app, attempt->front, -1, attempt->error); /* the busy answer some */
    return LAZY_ATTEMPT_FAILED;
}

static enum lazy_progress not_running(struct lazy_attempt *attempt)
{
    lazy_error_set(attempt->error, LAZY_UNREACHABLE, 0,
                   "no server listens at %s, and there is no 'start' to bring one up",
                   attempt->app->socket);
    return LAZY_ATTEMPT_FAILED;
}

/* On the way of every request: one look at the state, without lock or folder. As long as the app file is
 * the same, a restart gets due only by somebody who has begun one and was killed: that can wait. */
static bool is_restart_due_now(struct lazy_attempt *attempt)
{
    const struct lazy_app *app = attempt->app;
    char path[LAZY_APP_PATHS_MAX];
    struct lazy_state state;

    if (app->settings.start == NULL || lazy_memo_knows(app->memo, LAZY_NO_RESTART, MEMO_MS))
        return false;
    lazy_app_file_path(app, ".state", path);
    if (lazy_due_at_a_glance(app, path) && lazy_state_read(AT_FDCWD, path, &state) &&
        lazy_due_restart(app, &state))
        return true;
    lazy_memo_keep(app->memo, LAZY_NO_RESTART);
    return false;
}

static enum lazy_progress no_process(struct lazy_attempt *attempt)
{
    lazy_error_set(attempt->error, LAZY_START, errno, "no process can be made for the starter");
    attempt->error->retry_after = 1;
    return LAZY_ATTEMPT_FAILED;
}

static enum lazy_progress begin_start(struct lazy_attempt *attempt, struct lazy_starter *starter)
{
    enum lazy_progress progress;
    int link[2];

    lazy_attempt_drop(attempt); /* a server that is told to stop would wait for us */
    if (lazy_call_socketpair(SOCK_STREAM | SOCK_CLOEXEC, link) < 0) {
        progress = no_process(attempt);
        lazy_lock_release(starter->lock);
        return progress;
    }
    starter->link = link[1];
    if (lazy_starter_spawn(starter) == 0) {
        close(link[1]);
        lazy_front_tell(attempt->front,
                        starter->restart ? LAZY_EVENT_RESTART : LAZY_EVENT_START, 0, NULL);
        progress = lazy_leader_lead(attempt, link[0]);
    } else {
        progress = no_process(attempt);
        close(link[1]);
    }
    close(link[0]);
    return progress;
}

/* Under the lock: is there still something to do? */
static enum lazy_progress decide(struct lazy_attempt *attempt, int lock)
{
    const struct lazy_app *app = attempt->app;
    struct lazy_starter starter = {.app = app, .names = &attempt->names, .folder = attempt->folder,
                                   .lock = lock};
    enum lazy_outcome outcome = lazy_attempt_reach(attempt, 0);
    enum lazy_progress progress = LAZY_LOOK_AGAIN;

    lazy_state_read(attempt->folder, attempt->names.state, &starter.state);
    if (starter.state.outcome == LAZY_STATE_UNREAD) {
        lazy_error_set(attempt->error, LAZY_FOLDER, errno, "the state can't be read in %s", app->state_dir);
        lazy_lock_release(lock);
        return LAZY_ATTEMPT_FAILED;
    }
    starter.restart = outcome != LAZY_DOWN && lazy_due_restart(app, &starter.state);
    if (outcome == LAZY_DOWN && !lazy_due_later(app, &starter.state))
        return begin_start(attempt, &starter);
    if (starter.restart)
        return begin_start(attempt, &starter);
    if (outcome == LAZY_DOWN)
        progress = (enum lazy_progress)lazy_starter_failure(app, &starter.state, attempt->error);
    if (outcome == LAZY_LOST)
        progress = LAZY_ATTEMPT_FAILED;
    if (outcome == LAZY_UP)
        progress = LAZY_CONNECTED;
    lazy_lock_release(lock);
    return progress;
}

/* Waits for whoever holds the lock. */
static enum lazy_progress wait_for_starter(struct lazy_attempt *attempt)
{
    int left = lazy_deadline_left(attempt->deadline);
    int step = attempt->bell >= 0 ? NET_MS
                                  : lazy_step(lazy_now() - attempt->begin, NO_BELL_STEP_MS);
    int rung;

    if (left == 0)
        return lazy_attempt_out_of_patience(attempt);
    lazy_attempt_drop(attempt);
    rung = lazy_attempt_sleep(attempt, attempt->bell, step < left ? step : left);
    if (rung > 0) {
        close(attempt->bell);
        attempt->bell = lazy_bell_listen(attempt->folder, attempt->names.bell);
    }
    return rung < 0 ? LAZY_ATTEMPT_FAILED : LAZY_LOOK_AGAIN;
}

/* Has the server started, by ourselves or by whoever is at it. */
static enum lazy_progress start_once(struct lazy_attempt *attempt)
{
    struct lazy_state state;
    int lock;

    if (attempt->folder < 0) {
        attempt->folder = lazy_folder_open(attempt->app->state_dir, attempt->error);
        if (attempt->folder < 0)
            return LAZY_ATTEMPT_FAILED;
        lazy_names_set(&attempt->names, attempt->app);
        attempt->bell = lazy_bell_listen(attempt->folder, attempt->names.bell);
    }
    /* before the lock, so that all who waited for a start that failed learn it at once */
    lazy_state_read(attempt->folder, attempt->names.state, &state);
    if (attempt->fd < 0 && lazy_due_later(attempt->app, &state))
        return (enum lazy_progress)lazy_starter_failure(attempt->app, &state, attempt->error);
    switch (lazy_lock_take(attempt->folder, attempt->names.lock, &lock, attempt->error)) {
    case LAZY_LOCK_TAKEN:
        return decide(attempt, lock);
    case LAZY_LOCK_HELD:
        return wait_for_starter(attempt);
    default:
        return LAZY_ATTEMPT_FAILED;
    }
}

/* A server that runs with yesterday's app file is better than none. */
static enum lazy_progress keep_old_server(struct lazy_attempt *attempt)
{
    if (attempt->error->failure != LAZY_FOLDER && attempt->error->failure != LAZY_START)
        return LAZY_ATTEMPT_FAILED;
    if (lazy_attempt_reach(attempt, 0) != LAZY_UP)
        return LAZY_ATTEMPT_FAILED;
    lazy_front_tell(attempt->front, LAZY_EVENT_NOTICE, 0, attempt->error->sentence);
    return LAZY_CONNECTED;
}

/* One round: where the last connect has left us, and what follows from it. */
static enum lazy_progress go_on(struct lazy_attempt *attempt, enum lazy_outcome outcome)
{
    enum lazy_progress progress;

    switch (outcome) {
    case LAZY_UP:
        if (!is_restart_due_now(attempt))
            return LAZY_CONNECTED;
        progress = start_once(attempt);
        return progress == LAZY_ATTEMPT_FAILED ? keep_old_server(attempt) : progress;
    case LAZY_DOWN:
        return attempt->app->settings.start != NULL ? start_once(attempt) : not_running(attempt);
    case LAZY_FULL:
        if (lazy_deadline_left(attempt->deadline) == 0)
            return too_busy(attempt);
        return lazy_attempt_sleep(attempt, -1, 0) < 0 ? LAZY_ATTEMPT_FAILED : LAZY_LOOK_AGAIN;
    default:
        /* the default socket lies in the state folder, and what is wrong with that says more */
        if (attempt->app->settings.socket == NULL && attempt->folder < 0)
            attempt->folder = lazy_folder_open(attempt->app->state_dir, attempt->error);
        return LAZY_ATTEMPT_FAILED;
    }
}

int lazy_connect(const struct lazy_app *app, const struct lazy_front *front,
                 struct lazy_error *error)
{
    struct lazy_attempt attempt = {.app = app, .front = front, .error = error,
                                   .fd = -1, .folder = -1, .bell = -1};
    enum lazy_outcome outcome = lazy_attempt_reach(&attempt, 0);
    enum lazy_progress progress;

    if (outcome == LAZY_UP && !is_restart_due_now(&attempt))
        return attempt.fd;
    lazy_attempt_hold(&attempt);
    while ((progress = go_on(&attempt, outcome)) == LAZY_LOOK_AGAIN) {
        int left = lazy_deadline_left(attempt.deadline);
        bool in_line = outcome == LAZY_FULL;

        outcome = lazy_attempt_reach(&attempt, !in_line ? 0 : left < SLICE_MS ? left : SLICE_MS);
    }
    if (attempt.folder >= 0)
        close(attempt.folder);
    if (attempt.bell >= 0)
        close(attempt.bell);
    if (progress != LAZY_CONNECTED)
        lazy_attempt_drop(&attempt);
    return attempt.fd;
}

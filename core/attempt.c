#include "attempt.h"

#include "call.h"
#include "deadline.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#define PATIENCE_RETRY_S 2

void lazy_attempt_drop(struct lazy_attempt *attempt)
{
    if (attempt->fd >= 0)
        close(attempt->fd);
    attempt->fd = -1;
}

static enum lazy_outcome lost(struct lazy_attempt *attempt, int errnum, const char *why)
{
    lazy_error_set(attempt->error, LAZY_UNREACHABLE, errnum, "the server at %s can't be reached%s",
                   attempt->app->socket, why);
    return LAZY_LOST;
}

/* A Unix socket must be served by the app's owner, ourselves or root: somebody else's server would
 * read the visitors' passwords. */
static bool is_trusted(struct lazy_attempt *attempt)
{
    const struct lazy_app *app = attempt->app;
    uid_t user;
    pid_t pid;

    if (!lazy_address_peer(&app->address, attempt->fd, &user, &pid) || lazy_app_trusts(app, user))
        return true;
    if (user == (uid_t)-1)
        lost(attempt, errno, "");
    else
        lazy_error_set(attempt->error, LAZY_UNREACHABLE, 0,
                       "the socket %s is served by another user (%lld): end that server, or set "
                       "'socket' to a path that only you can write to", app->socket, (long long)user);
    return false;
}

enum lazy_outcome lazy_attempt_reach(struct lazy_attempt *attempt, int wait)
{
    const struct lazy_app *app = attempt->app;
    const char *path = lazy_address_path(&app->address);
    enum lazy_outcome outcome;
    struct stat status;

    lazy_attempt_drop(attempt);
    outcome = lazy_address_connect(&app->address, wait, &attempt->fd);
    if (outcome == LAZY_LOST)
        return lost(attempt, errno, "");
    if (outcome == LAZY_DOWN && path != NULL && lazy_call_stat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISSOCK(status.st_mode) && !S_ISLNK(status.st_mode))
        return lost(attempt, 0, ": the file there is no socket; remove it");
    if (outcome == LAZY_UP && !is_trusted(attempt)) {
        lazy_attempt_drop(attempt);
        return LAZY_LOST;
    }
    return outcome;
}

void lazy_attempt_hold(struct lazy_attempt *attempt)
{
    const struct lazy_front *front = attempt->front;

    attempt->begin = attempt->deadline = lazy_now();
    attempt->may_not_wait = front->may_wait != NULL && !front->may_wait(front->context);
    if (!attempt->may_not_wait)
        attempt->deadline += attempt->app->settings.patience;
}

enum lazy_progress lazy_attempt_out_of_patience(struct lazy_attempt *attempt)
{
    struct lazy_text text;
    char patience[24];

    lazy_text_begin(&text, patience, sizeof patience);
    lazy_text_duration(&text, attempt->app->settings.patience);
    if (attempt->may_not_wait)
        lazy_error_set(attempt->error, LAZY_PATIENCE, 0,
                       "the start is under way, and no more requests may wait for it");
    else
        lazy_error_set(attempt->error, LAZY_PATIENCE, 0,
                       "the start is still under way after %s ('patience'); the output so far is in "
                       "%s", patience, attempt->app->log);
    attempt->error->retry_after = PATIENCE_RETRY_S;
    return LAZY_ATTEMPT_FAILED;
}

int lazy_attempt_sleep(struct lazy_attempt *attempt, int fd, int most)
{
    const struct lazy_front *front = attempt->front;
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = front->visitor, .events = front->visitor_events}};
    int ready = poll(fds, 2, lazy_front_nap(front, most));

    if ((ready > 0 && fds[1].revents != 0) || lazy_front_is_gone(front))
        return lazy_error_set(attempt->error, LAZY_VISITOR_GONE, 0, "the visitor has gone");
    return ready > 0 && fds[0].revents != 0;
}

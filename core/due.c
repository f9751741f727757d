#include "due.h"

#include "call.h"
#include "clock.h"

#include <string.h>

/* Does the state tell of another app file than ours, and is ours the present one? Who has read the
 * file before it was touched must not undo what others have started since. */
static bool is_touched(const struct lazy_app *app, const struct lazy_state *state)
{
    struct lazy_app_stamp now;

    return strcmp(state->stamp, app->stamp.text) != 0 && lazy_app_stamp(&now, app->file) == 0 &&
           strcmp(now.text, app->stamp.text) == 0;
}

bool lazy_due_restart(const struct lazy_app *app, const struct lazy_state *state)
{
    switch (state->outcome) {
    case LAZY_STATE_STOPPING:
        return true;
    case LAZY_STATE_UP:
    case LAZY_STATE_STARTING:
        return is_touched(app, state);
    default: /* a server is there, but not by our start */
        return false;
    }
}

bool lazy_due_at_a_glance(const struct lazy_app *app, const char *state_file)
{
    const struct timespec *mark = &app->stamp.mark;
    struct stat status;

    return lazy_call_stat(AT_FDCWD, state_file, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           (status.st_mtim.tv_sec != mark->tv_sec || status.st_mtim.tv_nsec != mark->tv_nsec);
}

bool lazy_due_later(const struct lazy_app *app, const struct lazy_state *state)
{
    /* a clock set back must not keep the server down: there is a longest pause */
    long long left = state->next_start - lazy_clock_wall();

    return state->outcome == LAZY_STATE_FAILED && left > 0 && left <= LAZY_BACK_OFF_MAX_S + 1 &&
           !is_touched(app, state);
}

long long lazy_due_pause(long long failures)
{
    return failures < 1 ? 0 : failures > 6 ? LAZY_BACK_OFF_MAX_S : 1LL << (failures - 1);
}

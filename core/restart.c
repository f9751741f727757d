#include "restart.h"

#include "folder.h"
#include "hang.h"
#include "lock.h"
#include "starter.h"
#include "text.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A server that was never started here could not be stopped either, unless its owner has said how. */
static bool may_restart(const struct lazy_app *app, const struct lazy_state *state)
{
    return app->settings.stop != NULL || state->outcome == LAZY_STATE_UP;
}

static bool begin(struct lazy_starter *starter, int silence)
{
    const struct lazy_app *app = starter->app;
    struct lazy_error error;

    if (lazy_lock_take(starter->folder, starter->names->lock, &starter->lock, &error) != LAZY_LOCK_TAKEN)
        return false; /* somebody is at it */
    lazy_state_read(starter->folder, starter->names->state, &starter->state);
    /* somebody may have been at it before we had the lock */
    if (may_restart(app, &starter->state) && lazy_hang_is_certain(app, silence))
        return lazy_starter_spawn(starter) == 0;
    lazy_lock_release(starter->lock);
    return false;
}

static void add(struct lazy_error *error, const char *words)
{
    struct lazy_text text = {.start = error->sentence, .size = sizeof error->sentence,
                             .length = strlen(error->sentence)};

    lazy_text_add(&text, words);
}

static void restart(const struct lazy_app *app, const struct lazy_front *front, int silence,
                    struct lazy_error *error)
{
    struct lazy_starter starter = {.app = app, .link = -1, .restart = 1};
    struct lazy_names names;
    struct lazy_error unused;
    bool begun;

    starter.folder = lazy_folder_open(app->state_dir, &unused);
    if (starter.folder < 0)
        return;
    lazy_names_set(&names, app);
    starter.names = &names;
    begun = begin(&starter, silence);
    lazy_memo_drop(app->memo, LAZY_NO_RESTART); /* nobody else shall be sent to that server */
    close(starter.folder);
    if (!begun)
        return;
    add(error, "; it hangs ('hang-limit'), so it is restarted");
    lazy_front_tell(front, LAZY_EVENT_HUNG, 0, NULL);
}

void lazy_restart_hung(const struct lazy_app *app, const struct lazy_front *front, int silence,
                       struct lazy_error *error)
{
    bool has_waited = silence >= 0;

    if (!has_waited)
        silence = lazy_hang_join(app);
    if (silence < 0)
        return;
    if ((has_waited || lazy_hang_is_long(app, silence)) && lazy_hang_count(app, silence))
        restart(app, front, silence, error);
    if (!has_waited)
        close(silence);
}

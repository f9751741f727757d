#include "hang.h"

#include "call.h"
#include "clock.h"
#include "folder.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define PATIENCE_MS 1000

static bool is_counted(const struct lazy_app *app)
{
    return app->settings.start != NULL && app->settings.hang_limit > 0;
}

int lazy_hang_patience(const struct lazy_app *app)
{
    int most = (int)app->settings.response_timeout / 4;

    return most < PATIENCE_MS ? most : PATIENCE_MS;
}

int lazy_hang_join(const struct lazy_app *app)
{
    char name[NAME_MAX + 1];
    struct lazy_error error;
    int folder, silence;

    if (!is_counted(app))
        return -1;
    folder = lazy_folder_open(app->state_dir, &error);
    if (folder < 0)
        return -1;
    lazy_app_file_name(app, ".silence", name);
    silence = lazy_folder_file(folder, name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
    close(folder);
    return silence;
}

/* A silence that is missed because somebody has looked a moment ago has lasted for less than a request
 * waits before it joins; no request can have given up in that, and so none does with an answer between. */
void lazy_hang_end(const struct lazy_app *app)
{
    char path[LAZY_APP_PATHS_MAX];

    if (!is_counted(app) || lazy_memo_knows(app->memo, LAZY_NO_SILENCE, lazy_hang_patience(app)))
        return;
    lazy_app_file_path(app, ".silence", path);
    if (access(path, F_OK) == 0)
        unlink(path);
    lazy_memo_keep(app->memo, LAZY_NO_SILENCE);
}

bool lazy_hang_count(const struct lazy_app *app, int silence)
{
    return write(silence, ".", 1) == 1 && lazy_hang_is_certain(app, silence);
}

/* The file is never read, so the time of its last access is that of its creation; and a clock that was
 * set only makes somebody wait longer. */
bool lazy_hang_is_long(const struct lazy_app *app, int silence)
{
    struct stat status;

    return lazy_call_fstat(silence, &status) == 0 &&
           (lazy_clock_wall() - status.st_atime) * 1000 > app->settings.response_timeout;
}

bool lazy_hang_is_certain(const struct lazy_app *app, int silence)
{
    struct stat status;

    return lazy_call_fstat(silence, &status) == 0 && status.st_nlink > 0 &&
           status.st_size >= app->settings.hang_limit;
}

#include <httpd.h>
#include <http_config.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "apps.h"
#include "inline.h"
#include "runtime.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static apr_hash_t *loaded; /* by key; each has one user for being there */
static apr_thread_mutex_t *mutex;

void lazy_apps_begin(apr_pool_t *pool)
{
    loaded = apr_hash_make(pool);
    apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool);
}

/* Under the mutex. */
static void leave(struct lazy_loaded *app)
{
    if (--app->users == 0)
        free(app);
}

static apr_status_t leave_at_end(void *context)
{
    apr_thread_mutex_lock(mutex);
    leave(context);
    apr_thread_mutex_unlock(mutex);
    return APR_SUCCESS;
}

#define USUAL_KEY 2048

/* What of a section makes a difference to an app file. */
static const char *make_key(apr_pool_t *pool, const struct lazy_section *section, const char *file)
{
    int parts = LAZY_SETTINGS_NUMBERS | (section->source == LAZY_SOURCE_INLINE ? LAZY_SETTINGS_TEXTS : 0);
    size_t size = USUAL_KEY;
    struct lazy_text text;

    if (section->settings == NULL)
        return file;
    for (;; size *= 2) {
        lazy_text_begin(&text, apr_palloc(pool, size), size);
        lazy_text_format(&text, "%s\n", file);
        lazy_settings_add(&text, section->settings, parts);
        if (!text.cut)
            return text.start;
    }
}

/* One that was loaded from the file as it is now, with the caller as another user; or NULL. */
static struct lazy_loaded *find(const char *key, const struct lazy_app_stamp *stamp)
{
    struct lazy_loaded *app;

    apr_thread_mutex_lock(mutex);
    app = apr_hash_get(loaded, key, APR_HASH_KEY_STRING);
    if (app != NULL && strcmp(app->app.stamp.text, stamp->text) == 0)
        app->users++;
    else
        app = NULL;
    apr_thread_mutex_unlock(mutex);
    return app;
}

/* Has the others find it. */
static void keep(const char *key, struct lazy_loaded *app)
{
    struct lazy_loaded *old;

    apr_thread_mutex_lock(mutex);
    old = apr_hash_get(loaded, key, APR_HASH_KEY_STRING);
    apr_hash_set(loaded, old != NULL ? key : apr_pstrdup(apr_hash_pool_get(loaded), key),
                 APR_HASH_KEY_STRING, app);
    app->users++;
    if (old != NULL)
        leave(old);
    apr_thread_mutex_unlock(mutex);
}

/* Whoever else can write into the runtime folder must not say what is run. */
static int check_inline(const struct lazy_app *app, const struct lazy_section *section,
                        struct lazy_error *error)
{
    if (section->source != LAZY_SOURCE_INLINE || app->owner == geteuid())
        return 0;
    return lazy_error_set(error, LAZY_FOLDER, 0, "it belongs to another user; remove %s, and let only "
                                                 "root write into the folder that it is in",
                          lazy_runtime_folder);
}

static struct lazy_loaded *load(const struct lazy_section *section, const char *file,
                                struct lazy_error *error)
{
    struct lazy_loaded *app = calloc(1, sizeof *app);
    struct lazy_settings numbers;
    struct lazy_home home;

    if (app == NULL) {
        lazy_error_set(error, LAZY_APP, ENOMEM, "the app can't be loaded");
        return NULL;
    }
    lazy_runtime_name(app->name, apr_filepath_name_get(file), file);
    home = (struct lazy_home){.folder = lazy_runtime_folder, .name = app->name};
    if (lazy_app_load(&app->app, file, &home, error) < 0 || check_inline(&app->app, section, error) < 0) {
        free(app);
        return NULL;
    }
    if (section->settings != NULL) {
        numbers = *section->settings;
        lazy_settings_drop_texts(&numbers);
        lazy_settings_merge(&app->app.settings, &numbers, error); /* can't fail without texts */
    }
    app->app.environment = environ;
    app->app.memo = &app->memo;
    app->row = lazy_board_find(file);
    app->users = 1;
    return app;
}

const struct lazy_loaded *lazy_apps_get(request_rec *request, const struct lazy_section *section,
                                        const char **file, struct lazy_error *error)
{
    apr_pool_t *pool = request->pool;
    bool is_inline = section->source == LAZY_SOURCE_INLINE;
    struct lazy_app_stamp stamp;
    struct lazy_loaded *app = NULL;
    const char *key;

    *file = is_inline ? lazy_inline_file(pool, section)
            : section->source == LAZY_SOURCE_FILE ? section->file
                                                  : request->filename;
    if (section->wrong != NULL) {
        lazy_error_set(error, LAZY_APP, 0, "%s", section->wrong);
        return NULL;
    }
    key = make_key(pool, section, *file);
    if (lazy_app_stamp(&stamp, *file) == 0)
        app = find(key, &stamp);
    if (app == NULL) {
        if (is_inline && lazy_inline_write(pool, section, *file, error) < 0)
            return NULL;
        app = load(section, *file, error);
        if (app == NULL)
            return NULL;
        keep(key, app);
    }
    apr_pool_cleanup_register(pool, app, leave_at_end, apr_pool_cleanup_null);
    return app;
}

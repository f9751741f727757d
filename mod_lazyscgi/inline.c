#include <httpd.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "inline.h"
#include "runtime.h"

#include "core/app.h"

static apr_time_t begun;

void lazy_inline_begin(void)
{
    begun = apr_time_now();
}

const char *lazy_inline_file(apr_pool_t *pool, const struct lazy_section *section)
{
    const server_rec *server = section->place.server;
    const char *host = server->server_hostname != NULL ? server->server_hostname : "";
    const char *whole = apr_psprintf(pool, "%s:%d %d %s", host, server->port, section->place.kind,
                                     section->place.path);
    char name[LAZY_RUNTIME_NAME];

    lazy_runtime_name(name, *section->place.path != '\0' ? section->place.path : "site", whole);
    return apr_pstrcat(pool, lazy_runtime_folder, "/inline-", name, NULL);
}

static const char *content_of(apr_pool_t *pool, const struct lazy_section *section)
{
    struct lazy_text text;
    char *buffer = apr_palloc(pool, LAZY_APP_FILE_MAX + 1);

    lazy_text_begin(&text, buffer, LAZY_APP_FILE_MAX + 1);
    lazy_text_add(&text, "# made by mod_lazyscgi from its LazySCGI directives: change those\n");
    if (section->settings->state_dir == NULL)
        lazy_text_format(&text, "state-dir = %s\n", lazy_runtime_folder);
    lazy_settings_add(&text, section->settings, LAZY_SETTINGS_TEXTS);
    return text.cut ? NULL : buffer;
}

/* Is what is there already right, or from a configuration that is newer than ours? */
static bool is_current(apr_pool_t *pool, const char *file, const char *content)
{
    char *found = apr_palloc(pool, LAZY_APP_FILE_MAX + 1);
    apr_size_t length = LAZY_APP_FILE_MAX;
    apr_file_t *handle;
    apr_finfo_t info;

    if (apr_file_open(&handle, file, APR_READ, APR_OS_DEFAULT, pool) != APR_SUCCESS)
        return false;
    if (apr_file_info_get(&info, APR_FINFO_MTIME, handle) != APR_SUCCESS)
        info.mtime = 0;
    if (apr_file_read_full(handle, found, length, &length) != APR_EOF)
        length = 0;
    apr_file_close(handle);
    found[length] = '\0';
    return strcmp(found, content) == 0 || info.mtime > begun;
}

static int fail(apr_status_t status, const char *file, struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_FOLDER, APR_TO_OS_ERROR(status),
                          "the settings can't be kept in %s", file);
}

int lazy_inline_write(apr_pool_t *pool, const struct lazy_section *section, const char *file,
                      struct lazy_error *error)
{
    const char *content = content_of(pool, section);
    char *temporary = apr_pstrcat(pool, file, ".XXXXXX", NULL);
    apr_file_t *handle;
    apr_status_t status;

    if (content == NULL)
        return lazy_error_set(error, LAZY_APP, 0, "the LazySCGI settings are larger than 16384 bytes");
    if (is_current(pool, file, content))
        return 0;
    status = apr_file_mktemp(&handle, temporary, APR_CREATE | APR_WRITE | APR_EXCL, pool);
    if (status != APR_SUCCESS)
        return fail(status, file, error);
    status = apr_file_write_full(handle, content, strlen(content), NULL);
    if (apr_file_close(handle) != APR_SUCCESS && status == APR_SUCCESS)
        status = APR_EGENERAL;
    if (status == APR_SUCCESS)
        status = apr_file_rename(temporary, file, pool);
    if (status == APR_SUCCESS)
        return 0;
    apr_file_remove(temporary, pool);
    return fail(status, file, error);
}

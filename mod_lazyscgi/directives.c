#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <util_filter.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "directives.h"

#include "core/address.h"
#include "core/app.h"

int lazy_max_waiters = -1;

void *lazy_section_create(apr_pool_t *pool, char *path)
{
    (void)path;
    return apr_pcalloc(pool, sizeof(struct lazy_section));
}

static struct lazy_settings *new_settings(apr_pool_t *pool)
{
    struct lazy_settings *settings = apr_palloc(pool, sizeof *settings);

    lazy_settings_begin(settings);
    return settings;
}

void *lazy_section_merge(apr_pool_t *pool, void *outer_section, void *inner_section)
{
    const struct lazy_section *outer = outer_section, *inner = inner_section;
    struct lazy_section *merged;
    struct lazy_error error;

    if (inner->source == LAZY_SOURCE_NONE && inner->settings == NULL && inner->sendfile == NULL)
        return outer_section;
    merged = apr_pmemdup(pool, inner->source == LAZY_SOURCE_NONE ? outer : inner, sizeof *merged);
    merged->sendfile = inner->sendfile != NULL ? inner->sendfile : outer->sendfile;
    if (outer->settings == NULL || inner->settings == NULL) {
        merged->settings = outer->settings != NULL ? outer->settings : inner->settings;
        return merged;
    }
    merged->settings = apr_pmemdup(pool, outer->settings, sizeof *merged->settings);
    if (inner->source != LAZY_SOURCE_NONE && inner->source != outer->source)
        lazy_settings_drop_texts(merged->settings); /* of an app that is replaced */
    if (lazy_settings_merge(merged->settings, inner->settings, &error) < 0)
        merged->wrong = apr_pstrdup(pool, error.sentence);
    return merged;
}

/* The path that a section's line names, or NULL when it is a pattern. */
static const char *path_of(apr_pool_t *pool, const ap_directive_t *section)
{
    const char *rest = section->args, *path = ap_getword_conf(pool, &rest);
    size_t length = strlen(path);

    if (strcmp(path, "~") == 0 || ap_is_matchexp(path))
        return NULL;
    if (length > 0 && path[length - 1] == '>')
        length--;
    while (length > 0 && path[length - 1] == '/')
        length--;
    return apr_pstrmemdup(pool, path, length);
}

/* The nearest section around a directive that says where it is; an <If> does not. */
static struct lazy_place find_place(cmd_parms *cmd)
{
    struct lazy_place place = {LAZY_PLACE_SITE, "", cmd->server};
    const ap_directive_t *at;

    for (at = cmd->directive->parent; at != NULL; at = at->parent) {
        bool is_location = ap_cstr_casecmp(at->directive, "<Location") == 0;
        const char *path;

        if (!is_location && ap_cstr_casecmp(at->directive, "<Directory") != 0)
            continue;
        path = path_of(cmd->pool, at);
        if (path == NULL)
            break;
        place.kind = is_location ? LAZY_PLACE_LOCATION : LAZY_PLACE_DIRECTORY;
        place.path = path;
        break;
    }
    return place;
}

static const char *set_source(cmd_parms *cmd, struct lazy_section *section, enum lazy_source source)
{
    if (section->source != LAZY_SOURCE_NONE && section->source != source)
        return apr_psprintf(cmd->pool, "%s: one section has one app: LazySCGIApp, or LazySCGI keys "
                                       "other than durations and sizes", cmd->cmd->name);
    section->source = source;
    section->place = find_place(cmd);
    return NULL;
}

static const char *failed(cmd_parms *cmd, const char *about, const struct lazy_error *error)
{
    return apr_psprintf(cmd->pool, "%s %s: %s", cmd->cmd->name, about, error->sentence);
}

/* LazySCGIApp <file> */
static const char *set_app(cmd_parms *cmd, void *config, const char *argument)
{
    struct lazy_section *section = config;
    struct lazy_error error;
    struct lazy_app *app;

    if (ap_cstr_casecmp(argument, "off") == 0)
        return set_source(cmd, section, LAZY_SOURCE_OFF);
    if (section->file != NULL)
        return "LazySCGIApp is given twice";
    section->file = ap_server_root_relative(cmd->pool, argument);
    if (section->file == NULL)
        return apr_psprintf(cmd->pool, "LazySCGIApp: '%s' is no path", argument);
    app = apr_palloc(cmd->temp_pool, sizeof *app);
    if (lazy_app_load(app, section->file, NULL, &error) < 0)
        return failed(cmd, section->file, &error);
    return set_source(cmd, section, LAZY_SOURCE_FILE);
}

/* A value in quotes as a whole comes without them, as httpd's own do; any other is taken as it is. */
static const char *value_of(apr_pool_t *pool, const char *rest)
{
    const char *end = rest, *word = ap_getword_conf(pool, &end);

    if ((*rest == '"' || *rest == '\'') && *end == '\0')
        return word;
    return apr_pstrdup(pool, rest);
}

static const char *check_socket(cmd_parms *cmd, const char *socket)
{
    struct lazy_address address;
    struct lazy_error error;

    if (*socket != '/' && *socket != '@' && strchr(socket, '/') != NULL)
        return NULL; /* a relative path: its whole length isn't known yet */
    return lazy_address_parse(&address, socket, &error) < 0 ? failed(cmd, "socket", &error) : NULL;
}

/* LazySCGI <key> <value> */
static const char *set_key(cmd_parms *cmd, void *config, const char *arguments)
{
    struct lazy_section *section = config;
    const char *name = ap_getword_conf(cmd->pool, &arguments);
    const char *value = value_of(cmd->pool, arguments);
    struct lazy_error error;

    if (section->settings == NULL)
        section->settings = new_settings(cmd->pool);
    if (lazy_settings_set(section->settings, name, value, &error) < 0)
        return failed(cmd, name, &error);
    if (lazy_settings_part(name) == LAZY_SETTINGS_NUMBERS)
        return NULL;
    if (strcmp(name, "socket") == 0) {
        const char *wrong = check_socket(cmd, value);
        if (wrong != NULL)
            return wrong;
    }
    return set_source(cmd, section, LAZY_SOURCE_INLINE);
}

/* LazySCGISendfile <folder> ... */
static const char *add_folder(cmd_parms *cmd, void *config, const char *argument)
{
    struct lazy_section *section = config;
    char *folder;

    if (section->sendfile == NULL)
        section->sendfile = apr_array_make(cmd->pool, 1, sizeof(const char *));
    if (ap_cstr_casecmp(argument, "off") == 0)
        return NULL;
    if (apr_filepath_merge(&folder, NULL, argument,
                           APR_FILEPATH_TRUENAME | APR_FILEPATH_NOTRELATIVE, cmd->pool) != APR_SUCCESS ||
        !ap_is_directory(cmd->temp_pool, folder))
        return apr_psprintf(cmd->pool, "LazySCGISendfile: '%s' is no folder", argument);
    APR_ARRAY_PUSH(section->sendfile, const char *) = folder;
    return NULL;
}

/* LazySCGIMaxWaiters <number> */
static const char *set_max_waiters(cmd_parms *cmd, void *config, const char *argument)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_int64_t number;
    char *end;

    (void)config;
    if (wrong != NULL)
        return wrong;
    number = apr_strtoi64(argument, &end, 10);
    if (*argument == '\0' || *end != '\0' || number < 0 || number > 1000000)
        return apr_psprintf(cmd->pool, "LazySCGIMaxWaiters wants a number from 0 up, not '%s'", argument);
    lazy_max_waiters = (int)number;
    return NULL;
}

#define HERE (RSRC_CONF | ACCESS_CONF)

const command_rec lazy_directives[] = {
    AP_INIT_TAKE1("LazySCGIApp", set_app, NULL, HERE,
                  "the app file whose application is mounted here, or 'off'"),
    AP_INIT_RAW_ARGS("LazySCGI", set_key, NULL, HERE,
                     "a key of the app file and its value, for an application without one"),
    AP_INIT_ITERATE("LazySCGISendfile", add_folder, NULL, HERE,
                    "folders whose files an application may name in X-Sendfile, or 'off'"),
    AP_INIT_TAKE1("LazySCGIMaxWaiters", set_max_waiters, NULL, RSRC_CONF,
                  "how many requests may wait for starts at the same time"),
    {.name = NULL},
};

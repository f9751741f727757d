/* The app file: what is taken is in range and can be written down again; what is refused is named by the
 * line that is to blame. */
#include "fuzz.h"

#include "core/app.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY (24 * 3600 * 1000LL)

static struct lazy_app app, again;

static int load(struct lazy_app *loaded, const void *data, size_t size, struct lazy_error *error)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/app.cgi", fuzz_folder());
    fuzz_write(path, data, size);
    return lazy_app_load(loaded, path, NULL, error);
}

/* ---- what is refused ----------------------------------------------------------------------------- */

/* The N of "line N: "; 0: the sentence names no line. */
static int line_of(const struct lazy_error *error)
{
    return strncmp(error->sentence, "line ", 5) == 0 ? atoi(error->sentence + 5) : 0;
}

/* So many bytes are the first `lines` lines. */
static size_t bytes_of(const uint8_t *data, size_t size, int lines)
{
    size_t length = 0;

    for (; lines > 0 && length < size; lines--) {
        const uint8_t *newline = memchr(data + length, '\n', size - length);

        length = newline != NULL ? (size_t)(newline - data) + 1 : size;
    }
    return length;
}

static void check_refused(const uint8_t *data, size_t size, const struct lazy_error *error)
{
    struct lazy_error other;
    int line = line_of(error);

    fuzz_refused(error);
    if (size > LAZY_APP_FILE_MAX || memchr(data, '\0', size) != NULL) {
        FUZZ_HOLDS(line == 0);
    } else if (line == 0) {
        /* what isn't of one line: all paths together, and the default socket's */
        FUZZ_HOLDS(strcmp(error->sentence, "the paths of this app are too long") == 0 ||
                   strncmp(error->sentence, "'socket' can't be", 17) == 0);
    } else {
        FUZZ_HOLDS(bytes_of(data, size, line - 1) < size);
        FUZZ_HOLDS(load(&again, data, bytes_of(data, size, line), &other) < 0);
        FUZZ_HOLDS(strcmp(other.sentence, error->sentence) == 0);
        if (load(&again, data, bytes_of(data, size, line - 1), &other) < 0)
            FUZZ_HOLDS(line_of(&other) < line);
    }
}

/* ---- what is taken ------------------------------------------------------------------------------- */

static bool is_in(const char *string, const char *start, size_t size)
{
    return string >= start && string < start + size && memchr(string, '\0', (size_t)(start + size - string));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Set, it is a string of the file: one line, with no white space before it. */
static void check_setting(const char *string)
{
    if (string == NULL)
        return;
    FUZZ_HOLDS(is_in(string, app.text, sizeof app.text) && *string != '\0');
    FUZZ_HOLDS(strchr(string, '\n') == NULL && !is_blank(*string));
}

static const char *text_of(const struct lazy_settings *settings, const struct lazy_key *key)
{
    return *(const char *const *)((const char *)settings + key->offset);
}

static long long number_of(const struct lazy_settings *settings, const struct lazy_key *key)
{
    return *(const long long *)((const char *)settings + key->offset);
}

static void check_number(enum lazy_kind kind, long long number)
{
    FUZZ_HOLDS(number >= (kind == LAZY_DURATION));
    FUZZ_HOLDS(number <= (kind == LAZY_DURATION ? DAY : kind == LAZY_SIZE ? 1LL << 40 : 1000));
}

static void check_settings(const struct lazy_settings *settings)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++) {
        if (key->kind == LAZY_TEXT)
            check_setting(text_of(settings, key));
        if (key->kind >= LAZY_DURATION)
            check_number(key->kind, number_of(settings, key));
    }
    FUZZ_HOLDS(settings->env_count >= 0 && settings->env_count <= LAZY_ENV_MAX);
    for (int i = 0; i < settings->env_count; i++) {
        check_setting(settings->env[i]);
        FUZZ_HOLDS(strchr(settings->env[i], '=') > settings->env[i]);
    }
}

/* The path is the one that was set, or `otherwise`; in `folder` if it isn't absolute. */
static void check_path(const char *path, const char *setting, const char *folder, const char *otherwise)
{
    const char *wanted = setting != NULL ? setting : otherwise;
    size_t length = strlen(folder);

    FUZZ_HOLDS(is_in(path, app.text, sizeof app.text) || is_in(path, app.paths, sizeof app.paths));
    FUZZ_HOLDS(strchr(path, '\n') == NULL);
    if (*wanted == '/') {
        FUZZ_HOLDS(strcmp(path, wanted) == 0);
    } else {
        FUZZ_HOLDS(strncmp(path, folder, length) == 0 && path[length] == '/');
        FUZZ_HOLDS(strcmp(path + length + 1, wanted) == 0);
    }
}

static void check_state_dir(void)
{
    size_t length = strlen(app.state_dir), folder = strlen(fuzz_folder());

    FUZZ_HOLDS(is_in(app.state_dir, app.text, sizeof app.text) ||
               is_in(app.state_dir, app.paths, sizeof app.paths));
    FUZZ_HOLDS(length == 1 || app.state_dir[length - 1] != '/');
    if (app.settings.state_dir != NULL && *app.settings.state_dir == '/')
        FUZZ_HOLDS(strncmp(app.state_dir, app.settings.state_dir, length) == 0);
    else
        FUZZ_HOLDS(strncmp(app.state_dir, fuzz_folder(), folder) == 0 && app.state_dir[folder] == '/');
}

static void check_socket(void)
{
    const char *path = lazy_address_path(&app.address);
    struct lazy_address address;
    struct lazy_error error;

    FUZZ_HOLDS((app.socket_line > 0) == (app.settings.socket != NULL));
    FUZZ_HOLDS(lazy_address_parse(&address, app.socket, &error) == 0);
    FUZZ_HOLDS(memcmp(&address, &app.address, sizeof address) == 0);
    FUZZ_HOLDS(path == NULL || (*path == '/' && path[strlen(path) - 1] != '/'));
    if (app.settings.socket == NULL)
        check_path(app.socket, NULL, app.state_dir, "app.cgi.sock");
}

static void check_resolved(void)
{
    FUZZ_HOLDS(strcmp(app.name, "app.cgi") == 0);
    check_path(app.file, NULL, fuzz_folder(), "app.cgi");
    check_path(app.directory, app.settings.directory, fuzz_folder(), fuzz_folder());
    check_state_dir();
    if (app.settings.log != NULL)
        check_path(app.log, app.settings.log, fuzz_folder(), NULL);
    else
        check_path(app.log, NULL, app.state_dir, "app.cgi.log");
    check_socket();
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void check_same(const struct lazy_settings *a, const struct lazy_settings *b)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++) {
        if (key->kind == LAZY_TEXT)
            FUZZ_HOLDS(is_same_text(text_of(a, key), text_of(b, key)));
        if (key->kind >= LAZY_DURATION)
            FUZZ_HOLDS(number_of(a, key) == number_of(b, key));
    }
    FUZZ_HOLDS(a->env_count == b->env_count);
    for (int i = 0; i < a->env_count; i++)
        FUZZ_HOLDS(strcmp(a->env[i], b->env[i]) == 0);
}

/* Written down, it is an app file that means the same. */
static void check_written(const struct lazy_settings *settings)
{
    static char buffer[LAZY_APP_FILE_MAX + 1];
    struct lazy_text text;
    struct lazy_error error;

    lazy_text_begin(&text, buffer, sizeof buffer);
    lazy_settings_add(&text, settings, LAZY_SETTINGS_TEXTS | LAZY_SETTINGS_NUMBERS);
    if (text.cut)
        return; /* the defaults make it larger than a file may be */
    FUZZ_HOLDS(load(&again, buffer, text.length, &error) == 0);
    check_same(settings, &again.settings);
    FUZZ_HOLDS(strcmp(app.directory, again.directory) == 0);
    FUZZ_HOLDS(strcmp(app.state_dir, again.state_dir) == 0);
    FUZZ_HOLDS(strcmp(app.log, again.log) == 0);
    FUZZ_HOLDS(strcmp(app.socket, again.socket) == 0);
}

static void check_taken(void)
{
    struct lazy_settings resolved = app.settings;

    check_settings(&app.settings);
    check_resolved();
    if (is_blank(app.state_dir[strlen(app.state_dir) - 1]))
        return; /* such a name can only be given with a slash behind it, which was cut */
    check_written(&app.settings);
    resolved.socket = app.socket;
    resolved.directory = app.directory;
    resolved.state_dir = app.state_dir;
    resolved.log = app.log;
    check_written(&resolved); /* as `lazyscgi --check` prints it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lazy_error error;

    if (load(&app, data, size, &error) < 0) {
        check_refused(data, size, &error);
    } else {
        FUZZ_HOLDS(size <= LAZY_APP_FILE_MAX && memchr(data, '\0', size) == NULL);
        check_taken();
    }
    return 0;
}

#include "settings.h"

#include "value.h"

#include <string.h>

#define KEY(member) offsetof(struct lazy_settings, member)

const struct lazy_key lazy_keys[] = {
    {"start", LAZY_TEXT, KEY(start), "none",
     "command line for /bin/sh -c; without it nothing is ever started"},
    {"stop", LAZY_TEXT, KEY(stop), "none",
     "command line that stops the server, for one that leaves its session"},
    {"socket", LAZY_TEXT, KEY(socket), "<state-dir>/<app>.sock",
     "the server's address: /path, unix:path, host:port, [v6]:port or @abstract"},
    {"directory", LAZY_TEXT, KEY(directory), "the app file's folder",
     "working folder of start"},
    {"state-dir", LAZY_TEXT, KEY(state_dir), ".lazyscgi-<host> beside the app file",
     "folder of the lock, the state, and the default socket and log"},
    {"log", LAZY_TEXT, KEY(log), "<state-dir>/<app>.log",
     "where the server's stdout and stderr go, appended"},
    {"env", LAZY_ENV, KEY(env), "none", "NAME=value for the start command; may be repeated"},
    {"start-timeout", LAZY_DURATION, KEY(start_timeout), "30s",
     "how long a start may take before it has failed"},
    {"patience", LAZY_DURATION, KEY(patience), "start-timeout",
     "how long one request is held while a start is under way"},
    {"response-timeout", LAZY_DURATION, KEY(response_timeout), "60s",
     "longest silence of the server during a request"},
    {"max-body", LAZY_SIZE, KEY(max_body), "1G",
     "limit for what has to be spooled, such as a body of unknown length"},
    {"hang-limit", LAZY_COUNT, KEY(hang_limit), "3",
     "requests in a row without a byte of reply, after which the server is restarted; 0: never"},
    {NULL, LAZY_TEXT, 0, NULL, NULL},
};

static const char **text_of(struct lazy_settings *settings, const struct lazy_key *key)
{
    return (const char **)((char *)settings + key->offset);
}

static long long *number_of(struct lazy_settings *settings, const struct lazy_key *key)
{
    return (long long *)((char *)settings + key->offset);
}

static const struct lazy_key *find(const char *name)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

/* Levenshtein's distance; at most 31 characters of each count. */
static int distance(const char *a, const char *b)
{
    int row[32], columns = 0;

    for (row[0] = 0; columns < 31 && b[columns] != '\0'; row[columns] = columns)
        columns++;
    for (int i = 1; i <= 31 && a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[columns];
}

static const char *nearest(const char *name)
{
    const char *best = lazy_keys[0].name;

    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++)
        if (distance(name, key->name) < distance(name, best))
            best = key->name;
    return best;
}

void lazy_settings_begin(struct lazy_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++)
        if (key->kind >= LAZY_DURATION)
            *number_of(settings, key) = -1;
}

static int set_text(struct lazy_settings *settings, const struct lazy_key *key, const char *value,
                    struct lazy_error *error)
{
    const char **text = text_of(settings, key);

    if (*text != NULL)
        return lazy_error_set(error, LAZY_APP, 0, "'%s' is given twice", key->name);
    *text = value;
    return 0;
}

static int too_many(struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_APP, 0, "'env' is given more than 64 times");
}

static int set_env(struct lazy_settings *settings, const char *value, struct lazy_error *error)
{
    if (*value == '=' || strchr(value, '=') == NULL)
        return lazy_error_set(error, LAZY_APP, 0, "'env' wants NAME=value, not '%s'", value);
    if (settings->env_count == LAZY_ENV_MAX)
        return too_many(error);
    settings->env[settings->env_count++] = value;
    return 0;
}

static int set_number(struct lazy_settings *settings, const struct lazy_key *key, const char *value,
                      struct lazy_error *error)
{
    long long *number = number_of(settings, key);

    if (*number >= 0)
        return lazy_error_set(error, LAZY_APP, 0, "'%s' is given twice", key->name);
    if (key->kind == LAZY_DURATION && !lazy_value_duration(value, number))
        return lazy_error_set(error, LAZY_APP, 0,
                              "'%s' wants a duration such as 500ms, 30s or 5m (at most a day), "
                              "not '%s'", key->name, value);
    if (key->kind == LAZY_SIZE && !lazy_value_size(value, number))
        return lazy_error_set(error, LAZY_APP, 0,
                              "'%s' wants a size such as 4096, 64K, 10M or 1G, not '%s'",
                              key->name, value);
    if (key->kind == LAZY_COUNT && !lazy_value_count(value, number))
        return lazy_error_set(error, LAZY_APP, 0, "'%s' wants a number from 0 to 1000, not '%s'",
                              key->name, value);
    return 0;
}

int lazy_settings_set(struct lazy_settings *settings, const char *name, const char *value,
                      struct lazy_error *error)
{
    const struct lazy_key *key = find(name);

    if (key == NULL)
        return lazy_error_set(error, LAZY_APP, 0, "there is no key '%s'; the nearest is '%s'",
                              name, nearest(name));
    if (*value == '\0')
        return lazy_error_set(error, LAZY_APP, 0, "'%s' has no value", name);
    switch (key->kind) {
    case LAZY_TEXT:
        return set_text(settings, key, value, error);
    case LAZY_ENV:
        return set_env(settings, value, error);
    default:
        return set_number(settings, key, value, error);
    }
}

/* The place of a variable in the list: its own, or a new one at the end. */
static const char **place_of(struct lazy_settings *settings, const char *variable)
{
    size_t name = strcspn(variable, "=") + 1;

    for (int i = 0; i < settings->env_count; i++)
        if (strncmp(settings->env[i], variable, name) == 0)
            return &settings->env[i];
    return settings->env_count < LAZY_ENV_MAX ? &settings->env[settings->env_count++] : NULL;
}

static int merge_env(struct lazy_settings *settings, const struct lazy_settings *other,
                     struct lazy_error *error)
{
    for (int i = 0; i < other->env_count; i++) {
        const char **place = place_of(settings, other->env[i]);

        if (place == NULL)
            return too_many(error);
        *place = other->env[i];
    }
    return 0;
}

int lazy_settings_merge(struct lazy_settings *settings, const struct lazy_settings *other,
                        struct lazy_error *error)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++) {
        const void *member = (const char *)other + key->offset;

        if (key->kind == LAZY_TEXT && *(const char *const *)member != NULL)
            *text_of(settings, key) = *(const char *const *)member;
        if (key->kind >= LAZY_DURATION && *(const long long *)member >= 0)
            *number_of(settings, key) = *(const long long *)member;
    }
    return merge_env(settings, other, error);
}

static void add_pair(struct lazy_text *text, const struct lazy_key *key, const char *value)
{
    lazy_text_format(text, "%s = %s\n", key->name, value);
}

static void add_number(struct lazy_text *text, const struct lazy_key *key, long long number)
{
    char digits[32];
    struct lazy_text value;

    lazy_text_begin(&value, digits, sizeof digits);
    if (key->kind == LAZY_DURATION)
        lazy_text_duration(&value, number);
    else
        lazy_text_format(&value, "%lld", number);
    add_pair(text, key, digits);
}

static int part_of(const struct lazy_key *key)
{
    return key->kind >= LAZY_DURATION ? LAZY_SETTINGS_NUMBERS : LAZY_SETTINGS_TEXTS;
}

int lazy_settings_part(const char *name)
{
    const struct lazy_key *key = find(name);

    return key != NULL ? part_of(key) : 0;
}

void lazy_settings_drop_texts(struct lazy_settings *settings)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++)
        if (key->kind == LAZY_TEXT)
            *text_of(settings, key) = NULL;
    settings->env_count = 0;
}

void lazy_settings_add(struct lazy_text *text, const struct lazy_settings *settings, int parts)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++) {
        const void *member = (const char *)settings + key->offset;

        if (!(parts & part_of(key)))
            continue;
        if (key->kind >= LAZY_DURATION && *(const long long *)member >= 0)
            add_number(text, key, *(const long long *)member);
        if (key->kind == LAZY_TEXT && *(const char *const *)member != NULL)
            add_pair(text, key, *(const char *const *)member);
        for (int i = 0; key->kind == LAZY_ENV && i < settings->env_count; i++)
            add_pair(text, key, settings->env[i]);
    }
}

void lazy_settings_defaults(struct lazy_settings *settings)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++) {
        const struct lazy_key *other = find(key->default_text);
        long long *number = number_of(settings, key);

        if (key->kind < LAZY_DURATION || *number >= 0)
            continue;
        if (other != NULL)
            *number = *number_of(settings, other);
        else if (key->kind == LAZY_DURATION)
            lazy_value_duration(key->default_text, number);
        else /* a count is written as a size is */
            lazy_value_size(key->default_text, number);
    }
}

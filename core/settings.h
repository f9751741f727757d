/* The one table of keys. App files, httpd directives, the manual and `lazyscgi --keys` all come from
 * it or are checked against it. */
#ifndef LAZY_SETTINGS_H
#define LAZY_SETTINGS_H

#include "error.h"
#include "text.h"

#include <stddef.h>

#define LAZY_ENV_MAX 64

/* Values borrow the strings they were set from. NULL or -1: not set. */
struct lazy_settings {
    const char *start;
    const char *stop;
    const char *socket;
    const char *directory;
    const char *state_dir;
    const char *log;
    const char *env[LAZY_ENV_MAX]; /* NAME=value */
    int env_count;
    long long start_timeout;    /* ms */
    long long patience;         /* ms */
    long long response_timeout; /* ms */
    long long max_body;         /* bytes */
    long long hang_limit;       /* requests; 0: never */
};

enum lazy_kind { LAZY_TEXT, LAZY_ENV, LAZY_DURATION, LAZY_SIZE, LAZY_COUNT };

struct lazy_key {
    const char *name;
    enum lazy_kind kind;
    size_t offset;           /* of its member in struct lazy_settings */
    const char *default_text; /* as the manual gives it; numbers are parsed from it, unless it
                                 names another key */
    const char *meaning;
};

/* The table; ends with a NULL name. */
extern const struct lazy_key lazy_keys[];

/* Settings in which nothing is set. */
void lazy_settings_begin(struct lazy_settings *settings);

/* Sets one key from text, which must outlive the settings. -1 with LAZY_APP: unknown (names the
 * nearest key), repeated, empty or malformed; the sentence does not name the place. */
int lazy_settings_set(struct lazy_settings *settings, const char *name, const char *value,
                      struct lazy_error *error);

/* Sets what `other` sets, over what was set before; of `env` one variable each. -1 with LAZY_APP: too
 * many of those. */
int lazy_settings_merge(struct lazy_settings *settings, const struct lazy_settings *other,
                        struct lazy_error *error);

/* Texts say what the server is, numbers (durations, sizes and counts) how requests are treated. */
enum lazy_settings_part { LAZY_SETTINGS_TEXTS = 1, LAZY_SETTINGS_NUMBERS = 2 };

/* The part that a key belongs to; 0: there is no such key. */
int lazy_settings_part(const char *name);

/* Unsets all texts. */
void lazy_settings_drop_texts(struct lazy_settings *settings);

/* Appends what is set of one part or both, in the form of an app file. */
void lazy_settings_add(struct lazy_text *text, const struct lazy_settings *settings, int parts);

/* Gives unset numbers their defaults. Paths are the app's to resolve. */
void lazy_settings_defaults(struct lazy_settings *settings);

#endif

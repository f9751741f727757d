#include "unit.h"

#include "core/settings.h"

#include <stdio.h>
#include <string.h>

#define MINUTE 60000LL

/* In the table's order. `other` is a second good value; `value` and `standard` are what the key's
 * member is, for durations and sizes, after `text` and when nothing is set. */
static const struct {
    const char *name, *text, *other;
    long long value, standard;
} samples[] = {
    {"start", "exec server", "x", 0, 0},
    {"stop", "server stop", "x", 0, 0},
    {"socket", "/run/x", "y", 0, 0},
    {"directory", "folder", "z", 0, 0},
    {"state-dir", "state", "x", 0, 0},
    {"log", "log", "x", 0, 0},
    {"env", "A=b", "A=c", 0, 0},
    {"start-timeout", "90s", "1s", 90000, 30000},
    {"patience", "500ms", "1s", 500, 30000},
    {"response-timeout", "2m", "1s", 2 * MINUTE, MINUTE},
    {"max-body", "64K", "1", 65536, 1LL << 30},
    {"hang-limit", "0", "7", 0, 3},
};

#define SAMPLES ((int)(sizeof samples / sizeof *samples))

static struct lazy_settings settings;
static struct lazy_error error;

static void begin(void)
{
    memset(&settings, 0x55, sizeof settings); /* nothing shall be taken for zero */
    lazy_settings_begin(&settings);
    memset(&error, 0x55, sizeof error);
}

static int set(const char *name, const char *value)
{
    return lazy_settings_set(&settings, name, value, &error);
}

/* A key's member: the text (the first, of env), or the number. */
static const char *text_of(int i)
{
    return *(const char *const *)((const char *)&settings + lazy_keys[i].offset);
}

static long long number_of(int i)
{
    return *(const long long *)((const char *)&settings + lazy_keys[i].offset);
}

static bool is_text(int i)
{
    return lazy_keys[i].kind == LAZY_TEXT || lazy_keys[i].kind == LAZY_ENV;
}

static void refused(const char *name, const char *value, const char *sentence)
{
    ck_assert_int_eq(set(name, value), -1);
    ck_assert_int_eq(error.failure, LAZY_APP);
    ck_assert_int_eq(error.errnum, 0);
    ck_assert_str_eq(error.sentence, sentence);
}

START_TEST(table_has_the_samples_keys)
{
    for (int i = 0; i < SAMPLES; i++) {
        ck_assert_str_eq(lazy_keys[i].name, samples[i].name);
        ck_assert_str_ne(lazy_keys[i].default_text, "");
        ck_assert_str_ne(lazy_keys[i].meaning, "");
    }
    ck_assert_ptr_null(lazy_keys[SAMPLES].name);
}
END_TEST

START_TEST(keys_are_set_and_read_back)
{
    begin();
    ck_assert_int_eq(set(samples[_i].name, samples[_i].text), 0);
    lazy_settings_defaults(&settings);
    for (int i = 0; i < SAMPLES; i++) {
        bool set_here = i == _i;

        if (is_text(i) && set_here)
            ck_assert_ptr_eq(text_of(i), samples[i].text);
        else if (is_text(i))
            ck_assert_ptr_null(text_of(i));
        else if (set_here)
            ck_assert_int_eq(number_of(i), samples[i].value);
        else if (strcmp(samples[i].name, "patience") == 0) /* as start-timeout */
            ck_assert_int_eq(number_of(i), settings.start_timeout);
        else
            ck_assert_int_eq(number_of(i), samples[i].standard);
    }
}
END_TEST

START_TEST(members_are_the_keys_own)
{
    begin();
    for (int i = 0; i < SAMPLES; i++)
        ck_assert_int_eq(set(samples[i].name, samples[i].text), 0);
    ck_assert_str_eq(settings.start, "exec server");
    ck_assert_str_eq(settings.socket, "/run/x");
    ck_assert_str_eq(settings.directory, "folder");
    ck_assert_str_eq(settings.state_dir, "state");
    ck_assert_str_eq(settings.log, "log");
    ck_assert_int_eq(settings.env_count, 1);
    ck_assert_str_eq(settings.env[0], "A=b");
    ck_assert_int_eq(settings.start_timeout, 90000);
    ck_assert_int_eq(settings.patience, 500);
    ck_assert_int_eq(settings.response_timeout, 2 * MINUTE);
    ck_assert_int_eq(settings.max_body, 65536);
}
END_TEST

START_TEST(nothing_is_set_at_first)
{
    begin();
    for (int i = 0; i < SAMPLES; i++)
        if (is_text(i))
            ck_assert_ptr_null(text_of(i));
        else
            ck_assert_int_eq(number_of(i), -1);
    ck_assert_int_eq(settings.env_count, 0);
    lazy_settings_defaults(&settings);
    for (int i = 0; i < SAMPLES; i++)
        if (!is_text(i))
            ck_assert_int_eq(number_of(i), samples[i].standard);
}
END_TEST

START_TEST(keys_are_given_once)
{
    char sentence[64];

    begin();
    ck_assert_int_eq(set(samples[_i].name, samples[_i].text), 0);
    if (lazy_keys[_i].kind == LAZY_ENV) {
        ck_assert_int_eq(set(samples[_i].name, samples[_i].other), 0);
        ck_assert_int_eq(settings.env_count, 2);
        ck_assert_str_eq(settings.env[1], samples[_i].other);
        return;
    }
    snprintf(sentence, sizeof sentence, "'%s' is given twice", samples[_i].name);
    refused(samples[_i].name, samples[_i].other, sentence);
    if (is_text(_i))
        ck_assert_str_eq(text_of(_i), samples[_i].text);
    else
        ck_assert_int_eq(number_of(_i), samples[_i].value);
}
END_TEST

START_TEST(keys_have_values)
{
    char sentence[64];

    begin();
    snprintf(sentence, sizeof sentence, "'%s' has no value", samples[_i].name);
    refused(samples[_i].name, "", sentence);
}
END_TEST

static const struct {
    const char *name, *value, *sentence;
} bad[] = {
    {"strat", "x", "there is no key 'strat'; the nearest is 'start'"},
    {"Socket", "x", "there is no key 'Socket'; the nearest is 'socket'"},
    {"working-directory", "x", "there is no key 'working-directory'; the nearest is 'directory'"},
    {"state_dir", "x", "there is no key 'state_dir'; the nearest is 'state-dir'"},
    {"logs", "x", "there is no key 'logs'; the nearest is 'log'"},
    {"environ", "x", "there is no key 'environ'; the nearest is 'env'"},
    {"starttimeout", "x", "there is no key 'starttimeout'; the nearest is 'start-timeout'"},
    {"patient", "x", "there is no key 'patient'; the nearest is 'patience'"},
    {"reponse-timeout", "x", "there is no key 'reponse-timeout'; the nearest is 'response-timeout'"},
    {"maxbody", "", "there is no key 'maxbody'; the nearest is 'max-body'"},
    {"env", "A", "'env' wants NAME=value, not 'A'"},
    {"env", "=b", "'env' wants NAME=value, not '=b'"},
    {"patience", "soon",
     "'patience' wants a duration such as 500ms, 30s or 5m (at most a day), not 'soon'"},
    {"start-timeout", "0s",
     "'start-timeout' wants a duration such as 500ms, 30s or 5m (at most a day), not '0s'"},
    {"response-timeout", "99999999999999999999s",
     "'response-timeout' wants a duration such as 500ms, 30s or 5m (at most a day), not "
     "'99999999999999999999s'"},
    {"max-body", "1T", "'max-body' wants a size such as 4096, 64K, 10M or 1G, not '1T'"},
    {"max-body", "-1", "'max-body' wants a size such as 4096, 64K, 10M or 1G, not '-1'"},
};

START_TEST(bad_pairs_are_refused)
{
    begin();
    refused(bad[_i].name, bad[_i].value, bad[_i].sentence);
}
END_TEST

/* Nearness looks at the first characters only; it must still end, and stay in its row. */
START_TEST(unknown_names_of_any_length_are_refused)
{
    char name[100] = "";

    for (size_t length = 0; length + 1 < sizeof name; length++) {
        begin();
        ck_assert_int_eq(set(name, "x"), -1);
        ck_assert_msg(strstr(error.sentence, "the nearest is '") != NULL, "%s", error.sentence);
        name[length] = 'q';
        name[length + 1] = '\0';
    }
}
END_TEST

START_TEST(env_is_given_64_times_at_most)
{
    begin();
    for (int i = 0; i < LAZY_ENV_MAX; i++)
        ck_assert_int_eq(set("env", "EMPTY="), 0);
    refused("env", "A=b", "'env' is given more than 64 times");
    ck_assert_int_eq(settings.env_count, 64);
}
END_TEST

static struct lazy_settings settings_of(const char *const *pairs)
{
    begin();
    for (; *pairs != NULL; pairs += 2)
        ck_assert_int_eq(set(pairs[0], pairs[1]), 0);
    return settings;
}

static void expect_text(const struct lazy_settings *found, int parts, const char *expected)
{
    char buffer[1024];
    struct lazy_text text;

    lazy_text_begin(&text, buffer, sizeof buffer);
    lazy_settings_add(&text, found, parts);
    ck_assert_str_eq(buffer, expected);
}

#define ALL (LAZY_SETTINGS_TEXTS | LAZY_SETTINGS_NUMBERS)

START_TEST(the_inner_settings_win)
{
    static const char *const outer_pairs[] = {"start", "a", "socket", "/s", "env", "A=1", "env", "AB=2",
                                              "patience", "5s", NULL};
    static const char *const inner_pairs[] = {"start", "b", "env", "A=3", "env", "C=4", "max-body", "1K",
                                              NULL};
    struct lazy_settings outer = settings_of(outer_pairs), inner = settings_of(inner_pairs);

    ck_assert_int_eq(lazy_settings_merge(&outer, &inner, &error), 0);
    expect_text(&outer, LAZY_SETTINGS_TEXTS,
                "start = b\nsocket = /s\nenv = A=3\nenv = AB=2\nenv = C=4\n");
    expect_text(&outer, LAZY_SETTINGS_NUMBERS, "patience = 5s\nmax-body = 1024\n");
    lazy_settings_drop_texts(&outer);
    expect_text(&outer, ALL, "patience = 5s\nmax-body = 1024\n");
}
END_TEST

START_TEST(merging_has_room_for_64_variables)
{
    static char variables[LAZY_ENV_MAX][16];
    static const char *const one_pair[] = {"env", "X=1", NULL};
    struct lazy_settings full, one = settings_of(one_pair);

    begin();
    for (int i = 0; i < LAZY_ENV_MAX; i++) {
        snprintf(variables[i], sizeof variables[i], "A%d=", i);
        ck_assert_int_eq(set("env", variables[i]), 0);
    }
    full = settings;
    ck_assert_int_eq(lazy_settings_merge(&full, &full, &error), 0);
    ck_assert_int_eq(lazy_settings_merge(&full, &one, &error), -1);
    ck_assert_str_eq(error.sentence, "'env' is given more than 64 times");
}
END_TEST

START_TEST(parts_of_keys)
{
    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++)
        ck_assert_int_eq(lazy_settings_part(key->name), key->kind == LAZY_TEXT || key->kind == LAZY_ENV
                                                            ? LAZY_SETTINGS_TEXTS
                                                            : LAZY_SETTINGS_NUMBERS);
    ck_assert_int_eq(lazy_settings_part("strat"), 0);
}
END_TEST

Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tcase = unit_case(suite, "settings");

    tcase_add_test(tcase, table_has_the_samples_keys);
    tcase_add_loop_test(tcase, keys_are_set_and_read_back, 0, SAMPLES);
    tcase_add_test(tcase, members_are_the_keys_own);
    tcase_add_test(tcase, nothing_is_set_at_first);
    tcase_add_loop_test(tcase, keys_are_given_once, 0, SAMPLES);
    tcase_add_loop_test(tcase, keys_have_values, 0, SAMPLES);
    tcase_add_loop_test(tcase, bad_pairs_are_refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, unknown_names_of_any_length_are_refused);
    tcase_add_test(tcase, env_is_given_64_times_at_most);
    tcase_add_test(tcase, the_inner_settings_win);
    tcase_add_test(tcase, merging_has_room_for_64_variables);
    tcase_add_test(tcase, parts_of_keys);
    return suite;
}

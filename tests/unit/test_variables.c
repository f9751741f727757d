#include "unit.h"

#include "core/variables.h"

#include <stdio.h>
#include <string.h>

static struct lazy_variables variables;

/* The value of a variable, NULL when it isn't there; it must not be there twice. */
static const char *value_of(const char *name)
{
    const char *value = NULL;
    size_t length = strlen(name);

    for (int i = 0; i < variables.count; i++)
        if (strncmp(variables.list[i], name, length) == 0 && variables.list[i][length] == '=') {
            ck_assert_msg(value == NULL, "%s twice", name);
            value = variables.list[i] + length + 1;
        }
    ck_assert_ptr_null(variables.list[variables.count]);
    return value;
}

START_TEST(only_the_allowed_ones_pass)
{
    static char *const environment[] = {
        "PATH=/bin", "HOME=/home/me", "USER=me", "LOGNAME=me", "SHELL=/bin/sh", "LANG=C", "TZ=UTC",
        "TMPDIR=/var/tmp", "LC_ALL=C", "LC_TIME=de", "HTTP_PROXY=evil", "HTTP_X=() { :;}; id",
        "QUERY_STRING=x", "PATH_INFO=/x", "PATHX=1", "HOM=1", "LD_PRELOAD=x", "LAZYSCGI_APP=x",
        "LAZYSCGI_SOCKET=x", "BASH_ENV=x", "IFS=x", "REMOTE_USER=x", "no equals sign", "PATH", "=", "",
        NULL};
    struct lazy_app *app = unit_app("start = true\n");

    app->environment = environment;
    lazy_variables_set(&variables, app);
    for (int i = 0; i < 10; i++) {
        char name[32];

        ck_assert_int_eq(sscanf(environment[i], "%31[^=]", name), 1);
        ck_assert_str_eq(value_of(name), strchr(environment[i], '=') + 1);
    }
    ck_assert_str_eq(value_of("LAZYSCGI_APP"), app->file);
    ck_assert_str_eq(value_of("LAZYSCGI_SOCKET"), app->socket);
    ck_assert_int_eq(variables.count, 12);
}
END_TEST

START_TEST(the_app_file_has_the_last_word)
{
    static char *const environment[] = {"PATH=/bin", "LANG=C", NULL};
    struct lazy_app *app =
        unit_app("start = true\nenv = PATH=/opt/bin\nenv = MINE=a=b c\nenv = EMPTY=\n");

    app->environment = environment;
    lazy_variables_set(&variables, app);
    ck_assert_str_eq(value_of("PATH"), "/opt/bin");
    ck_assert_str_eq(value_of("LANG"), "C");
    ck_assert_str_eq(value_of("MINE"), "a=b c");
    ck_assert_str_eq(value_of("EMPTY"), "");
}
END_TEST

START_TEST(no_environment_at_all)
{
    lazy_variables_set(&variables, unit_app("start = true\n"));
    ck_assert_int_eq(variables.count, 2);
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
    static char names[300][24];
    static char *environment[301];
    static char text[64 * 16 + 32] = "start = true\n";
    struct lazy_app *app;

    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "LC_%d=x", i);
        environment[i] = names[i];
    }
    for (int i = 0; i < LAZY_ENV_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "env = E%d=1\n", i);
    app = unit_app(text);
    app->environment = environment;
    lazy_variables_set(&variables, app);
    ck_assert_int_eq(variables.count, LAZY_VARIABLES_MAX);
    ck_assert_str_eq(value_of("LAZYSCGI_APP"), app->file); /* ours and the file's are never left out */
    ck_assert_str_eq(value_of("E63"), "1");
}
END_TEST

Suite *variables_suite(void)
{
    Suite *suite = suite_create("variables");
    TCase *tcase = unit_case(suite, "variables");

    tcase_add_test(tcase, only_the_allowed_ones_pass);
    tcase_add_test(tcase, the_app_file_has_the_last_word);
    tcase_add_test(tcase, no_environment_at_all);
    tcase_add_test(tcase, more_than_there_is_room_for);
    return suite;
}

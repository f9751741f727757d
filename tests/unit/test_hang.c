#include "unit.h"

#include "core/hang.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define APP "start = true\nstate-dir = state\nresponse-timeout = 10s\n"
#define FILE_OF "state/app.cgi.silence"

static bool exists(void)
{
    return access(FILE_OF, F_OK) == 0;
}

START_TEST(the_last_of_as_many_as_the_limit_counts)
{
    struct lazy_app *app = unit_app(APP "hang-limit = 2\n");
    int first = lazy_hang_join(app), second = lazy_hang_join(app);

    ck_assert(first >= 0 && second >= 0 && exists());
    ck_assert(!lazy_hang_count(app, first));
    ck_assert(!lazy_hang_is_certain(app, second));
    ck_assert(lazy_hang_count(app, second));
    ck_assert(lazy_hang_is_certain(app, first));
    close(first);
    close(second);
}
END_TEST

/* Whoever waited while another was answered is only slow; a row begins anew with those after it. */
START_TEST(an_answer_ends_the_row)
{
    struct lazy_app *app = unit_app(APP "hang-limit = 1\n");
    int before = lazy_hang_join(app), after;

    lazy_hang_end(app);
    ck_assert(!exists());
    ck_assert(!lazy_hang_count(app, before));
    ck_assert(!lazy_hang_is_certain(app, before));
    after = lazy_hang_join(app);
    ck_assert(!lazy_hang_count(app, before));
    ck_assert(lazy_hang_count(app, after));
    close(before);
    close(after);
}
END_TEST

START_TEST(an_answer_without_a_silence_leaves_no_trace)
{
    struct lazy_app *app = unit_app(APP);

    lazy_hang_end(app);
    ck_assert_int_lt(access("state", F_OK), 0);
}
END_TEST

START_TEST(what_is_not_to_be_counted_makes_no_file)
{
    static const char *const apps[] = {"state-dir = state\nsocket = ./x.sock\n",
                                       APP "hang-limit = 0\n"};

    ck_assert_int_eq(lazy_hang_join(unit_app(apps[_i])), -1);
    ck_assert_int_lt(access("state", F_OK), 0);
}
END_TEST

/* Of an app with a memo: a moment ago there was none, and one that is younger ends with the next answer. */
START_TEST(a_memo_saves_the_look)
{
    static struct lazy_memo memo;
    struct lazy_app *app = unit_app(APP);

    app->memo = &memo;
    lazy_hang_end(app);
    close(lazy_hang_join(app));
    lazy_hang_end(app);
    ck_assert(exists());
    memo.seen[LAZY_NO_SILENCE] -= lazy_hang_patience(app);
    lazy_hang_end(app);
    ck_assert(!exists());
    app->memo = NULL;
}
END_TEST

/* Neither a link nor another's folder. */
START_TEST(only_a_file_of_ours_is_written)
{
    struct lazy_app *app = unit_app(APP);

    ck_assert_int_eq(mkdir("state", 0700), 0);
    unit_write("precious", "", 0600);
    ck_assert_int_eq(symlink("../precious", FILE_OF), 0);
    ck_assert_int_eq(lazy_hang_join(app), -1);
    lazy_hang_end(app);
    ck_assert_int_eq(chmod("state", 0777), 0);
    ck_assert_int_eq(lazy_hang_join(app), -1);
}
END_TEST

START_TEST(a_silence_is_long_after_a_response_timeout)
{
    struct lazy_app *app = unit_app(APP);
    struct timespec times[2] = {{.tv_sec = time(NULL) - 9}, {.tv_nsec = UTIME_OMIT}};
    int silence = lazy_hang_join(app);

    ck_assert(!lazy_hang_is_long(app, silence));
    ck_assert_int_eq(futimens(silence, times), 0);
    ck_assert(!lazy_hang_is_long(app, silence));
    ck_assert(!lazy_hang_count(app, silence)); /* which must not make it younger */
    times[0].tv_sec -= 3;
    ck_assert_int_eq(futimens(silence, times), 0);
    ck_assert(lazy_hang_is_long(app, silence));
    close(silence);
}
END_TEST

START_TEST(requests_join_early_enough)
{
    ck_assert_int_eq(lazy_hang_patience(unit_app(APP)), 1000);
    ck_assert_int_eq(lazy_hang_patience(unit_app("response-timeout = 400ms\n")), 100);
}
END_TEST

Suite *hang_suite(void)
{
    Suite *suite = suite_create("hang");
    TCase *tcase = unit_case(suite, "hang");

    tcase_add_test(tcase, the_last_of_as_many_as_the_limit_counts);
    tcase_add_test(tcase, an_answer_ends_the_row);
    tcase_add_test(tcase, an_answer_without_a_silence_leaves_no_trace);
    tcase_add_loop_test(tcase, what_is_not_to_be_counted_makes_no_file, 0, 2);
    tcase_add_test(tcase, a_memo_saves_the_look);
    tcase_add_test(tcase, only_a_file_of_ours_is_written);
    tcase_add_test(tcase, a_silence_is_long_after_a_response_timeout);
    tcase_add_test(tcase, requests_join_early_enough);
    return suite;
}

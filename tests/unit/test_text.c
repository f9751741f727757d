#include "unit.h"

#include "core/text.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#define LAST_SECOND 253402300799 /* of the year 9999 */

static char buffer[128];
static struct lazy_text text;

static void begin(void)
{
    memset(buffer, 'x', sizeof buffer);
    lazy_text_begin(&text, buffer, sizeof buffer);
}

static void holds(const char *expected)
{
    ck_assert_str_eq(buffer, expected);
    ck_assert_uint_eq(text.length, strlen(expected));
    ck_assert(!text.cut);
}

START_TEST(a_text_begins_empty)
{
    begin();
    holds("");
}
END_TEST

START_TEST(strings_and_bytes_are_appended)
{
    begin();
    lazy_text_add(&text, "one");
    lazy_text_add(&text, "");
    lazy_text_bytes(&text, ", twofold", 5);
    lazy_text_bytes(&text, "no", 0);
    holds("one, two");
    lazy_text_bytes(&text, "a\0b", 3);
    ck_assert_uint_eq(text.length, 11);
    ck_assert_mem_eq(buffer, "one, twoa\0b", 12);
}
END_TEST

START_TEST(conversions_are_formatted)
{
    begin();
    lazy_text_format(&text, "%s|%d|%lld|%%|%s", "a string", 42, 43LL, "");
    holds("a string|42|43|%|");
    begin();
    lazy_text_format(&text, "%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    holds("0 -1 2147483647 -2147483648");
    begin();
    lazy_text_format(&text, "%lld %lld %lld %lld", 0LL, -10LL, LLONG_MAX, LLONG_MIN);
    holds("0 -10 9223372036854775807 -9223372036854775808");
    begin();
    lazy_text_format(&text, "plain");
    lazy_text_format(&text, "%d%s%lld", 1, "2", 3LL);
    holds("plain123");
}
END_TEST

/* At every size: as much as fits, a NUL, and nothing behind it. */
START_TEST(what_does_not_fit_is_cut)
{
    static const char whole[] = "ab-12 cd";

    for (size_t size = 0; size <= sizeof whole; size++) {
        size_t kept = size == 0 ? 0 : size - 1;

        memset(buffer, 'x', sizeof buffer);
        lazy_text_begin(&text, buffer, size);
        lazy_text_format(&text, "%s%d %s", "ab", -12, "cd");
        if (kept > sizeof whole - 1)
            kept = sizeof whole - 1;
        ck_assert_uint_eq(text.length, kept);
        ck_assert_int_eq(text.cut, kept < sizeof whole - 1);
        ck_assert_mem_eq(buffer, whole, kept);
        if (size > 0)
            ck_assert_int_eq(buffer[kept], '\0');
        ck_assert_int_eq(buffer[size], 'x');
    }
}
END_TEST

START_TEST(a_cut_text_stays_cut)
{
    lazy_text_begin(&text, buffer, 4);
    lazy_text_add(&text, "abcd");
    ck_assert(text.cut);
    lazy_text_add(&text, "");
    lazy_text_add(&text, "e");
    ck_assert(text.cut);
    ck_assert_str_eq(buffer, "abc");
    lazy_text_begin(&text, NULL, 0);
    lazy_text_add(&text, "e");
    ck_assert(text.cut);
}
END_TEST

static const struct {
    long long milliseconds;
    const char *text;
} durations[] = {
    {0, "0s"},          {1, "1ms"},       {500, "500ms"},    {999, "999ms"},
    {1000, "1s"},       {1001, "1001ms"}, {30000, "30s"},    {59000, "59s"},
    {60000, "1m"},      {61000, "61s"},   {60001, "60001ms"}, {300000, "5m"},
    {86400000, "1440m"},
};

START_TEST(durations_are_written)
{
    begin();
    lazy_text_duration(&text, durations[_i].milliseconds);
    holds(durations[_i].text);
}
END_TEST

static const struct {
    long long seconds;
    const char *text;
} times[] = {
    {0, "1970-01-01 00:00:00 UTC"},
    {59, "1970-01-01 00:00:59 UTC"},
    {86399, "1970-01-01 23:59:59 UTC"},
    {951782400, "2000-02-29 00:00:00 UTC"},
    {951868800, "2000-03-01 00:00:00 UTC"},
    {1709164800, "2024-02-29 00:00:00 UTC"},
    {2147483648, "2038-01-19 03:14:08 UTC"},
    {4102444799, "2099-12-31 23:59:59 UTC"},
    {4107542400, "2100-03-01 00:00:00 UTC"},
    {LAST_SECOND, "9999-12-31 23:59:59 UTC"},
    {LAST_SECOND + 1, ""},
    {LLONG_MAX, ""},
    {-1, ""},
    {LLONG_MIN, ""},
};

START_TEST(known_times_are_written)
{
    begin();
    lazy_text_utc(&text, times[_i].seconds);
    holds(times[_i].text);
}
END_TEST

static void as_the_library(time_t seconds)
{
    char expected[64];
    struct tm parts;

    ck_assert_ptr_nonnull(gmtime_r(&seconds, &parts));
    ck_assert_uint_gt(strftime(expected, sizeof expected, "%Y-%m-%d %H:%M:%S UTC", &parts), 0);
    lazy_text_begin(&text, buffer, sizeof buffer);
    lazy_text_utc(&text, seconds);
    if (strcmp(buffer, expected) != 0) /* ck_assert_str_eq is slow, and there are many */
        ck_abort_msg("%lld is '%s', not '%s'", (long long)seconds, buffer, expected);
}

START_TEST(times_are_those_of_the_library)
{
    for (long long seconds = 0; seconds <= LAST_SECOND; seconds += 12345677) /* a prime */
        as_the_library(seconds);
    for (int year = 1971; year <= 9999; year++)
        for (int month = 0; month <= 2; month += 2) { /* round New Year and the leap day */
            struct tm first = {.tm_year = year - 1900, .tm_mon = month, .tm_mday = 1};
            time_t seconds = timegm(&first);

            as_the_library(seconds - 1);
            as_the_library(seconds);
        }
}
END_TEST

Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = unit_case(suite, "text");

    tcase_add_test(tcase, a_text_begins_empty);
    tcase_add_test(tcase, strings_and_bytes_are_appended);
    tcase_add_test(tcase, conversions_are_formatted);
    tcase_add_test(tcase, what_does_not_fit_is_cut);
    tcase_add_test(tcase, a_cut_text_stays_cut);
    tcase_add_loop_test(tcase, durations_are_written, 0, sizeof durations / sizeof *durations);
    tcase_add_loop_test(tcase, known_times_are_written, 0, sizeof times / sizeof *times);
    tcase_add_test(tcase, times_are_those_of_the_library);
    return suite;
}

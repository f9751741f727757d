#include "unit.h"

#include "core/value.h"

#include <limits.h>

static const struct {
    const char *text;
    long long most;
    long long number; /* -1: refused */
    int length;       /* of the digits */
} numbers[] = {
    {"0", 10, 0, 1},
    {"7", 7, 7, 1},
    {"10", 10, 10, 2},
    {"11", 10, -1, 0},
    {"007", 10, 7, 3},
    {"65535", 65535, 65535, 5},
    {"65536", 65535, -1, 0},
    {"12x", 100, 12, 2},
    {"5 ", 100, 5, 1},
    {"", 10, -1, 0},
    {"x", 10, -1, 0},
    {"-1", 10, -1, 0},
    {"+1", 10, -1, 0},
    {" 1", 10, -1, 0},
    {"9223372036854775807", LLONG_MAX, LLONG_MAX, 19},
    {"9223372036854775808", LLONG_MAX, -1, 0},
    {"99999999999999999999999999", LLONG_MAX, -1, 0},
    {"6", 5, -1, 0}, /* one digit can pass `most`, too */
    {"1", 0, -1, 0},
};

START_TEST(numbers_are_read)
{
    long long number = -1;
    const char *end = NULL, *text = numbers[_i].text;
    bool good = lazy_value_number(text, numbers[_i].most, &number, &end);

    ck_assert_msg(good == (numbers[_i].number >= 0), "'%s': %d, %lld", text, good, number);
    ck_assert_int_eq(number, numbers[_i].number);
    if (good)
        ck_assert_ptr_eq(end, text + numbers[_i].length);
}
END_TEST

struct scaled {
    const char *text;
    long long value; /* -1: refused */
};

static const struct scaled durations[] = {
    {"1ms", 1},
    {"500ms", 500},
    {"30s", 30000},
    {"5m", 300000},
    {"1440m", 86400000},
    {"86400s", 86400000},
    {"86400000ms", 86400000},
    {"1441m", -1},
    {"86401s", -1},
    {"86400001ms", -1},
    {"0ms", -1},
    {"0s", -1},
    {"0m", -1},
    {"30", -1},
    {"s", -1},
    {"", -1},
    {"30 s", -1},
    {"30S", -1},
    {"30sec", -1},
    {"1h", -1},
    {"-1s", -1},
    {"1.5s", -1},
    {"30s ", -1},
    {"9223372036854775807m", -1},
    {"99999999999999999999s", -1},
};

START_TEST(durations_are_read)
{
    long long value = -1;
    bool good = lazy_value_duration(durations[_i].text, &value);

    ck_assert_msg(good == (durations[_i].value >= 0), "'%s': %d", durations[_i].text, good);
    if (good)
        ck_assert_int_eq(value, durations[_i].value);
}
END_TEST

static const struct scaled sizes[] = {
    {"0", 0},
    {"1", 1},
    {"4096", 4096},
    {"64K", 65536},
    {"10M", 10485760},
    {"1G", 1073741824},
    {"1024G", 1LL << 40},
    {"1048576M", 1LL << 40},
    {"1099511627776", 1LL << 40},
    {"1099511627777", -1},
    {"1025G", -1},
    {"1T", -1},
    {"1k", -1},
    {"1KB", -1},
    {"1 K", -1},
    {"K", -1},
    {"", -1},
    {"-1", -1},
    {"0x10", -1},
    {"9223372036854775807G", -1},
    {"99999999999999999999", -1},
};

START_TEST(sizes_are_read)
{
    long long value = -1;
    bool good = lazy_value_size(sizes[_i].text, &value);

    ck_assert_msg(good == (sizes[_i].value >= 0), "'%s': %d", sizes[_i].text, good);
    if (good)
        ck_assert_int_eq(value, sizes[_i].value);
}
END_TEST

Suite *value_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *tcase = unit_case(suite, "value");

    tcase_add_loop_test(tcase, numbers_are_read, 0, sizeof numbers / sizeof *numbers);
    tcase_add_loop_test(tcase, durations_are_read, 0, sizeof durations / sizeof *durations);
    tcase_add_loop_test(tcase, sizes_are_read, 0, sizeof sizes / sizeof *sizes);
    return suite;
}

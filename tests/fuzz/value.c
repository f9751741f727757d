/* Numbers, durations, sizes and counts: what is read is what strtoll(3) reads, in its range; and a duration
 * that is printed is read again as the same. */
#include "fuzz.h"

#include "core/text.h"
#include "core/value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DAY (24 * 3600 * 1000LL)
#define SIZE_MOST (1LL << 40)

/* A run of digits, which strtoll() takes with spaces and a sign before it. */
static bool read_digits(const char *text, long long *number, const char **end)
{
    char *behind;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoll(text, &behind, 10);
    *end = behind;
    return errno == 0;
}

/* The factor of a unit, the first of `units` being 1; 0 when it isn't among them. */
static long long factor(const char *unit, const char *const *units, const long long *factors)
{
    for (int i = 0; units[i] != NULL; i++)
        if (strcmp(unit, units[i]) == 0)
            return factors[i];
    return 0;
}

static bool scale(const char *text, const char *const *units, const long long *factors, long long most,
                  long long *value)
{
    const char *unit;
    long long times;

    if (!read_digits(text, value, &unit))
        return false;
    times = factor(unit, units, factors);
    return times > 0 && !__builtin_mul_overflow(*value, times, value) && *value <= most;
}

static void check_number(const char *text, long long most)
{
    long long number, wanted;
    const char *end, *wanted_end;
    bool is_good = read_digits(text, &wanted, &wanted_end) && wanted <= most;

    FUZZ_HOLDS(lazy_value_number(text, most, &number, &end) == is_good);
    FUZZ_HOLDS(!is_good || (number == wanted && end == wanted_end));
}

static void check_duration(const char *text)
{
    static const char *const units[] = {"ms", "s", "m", NULL};
    static const long long factors[] = {1, 1000, 60000};
    long long duration, wanted;
    bool is_good = scale(text, units, factors, DAY, &wanted) && wanted > 0;
    struct lazy_text printed;
    char buffer[32];

    FUZZ_HOLDS(lazy_value_duration(text, &duration) == is_good);
    if (!is_good)
        return;
    FUZZ_HOLDS(duration == wanted);
    lazy_text_begin(&printed, buffer, sizeof buffer);
    lazy_text_duration(&printed, duration);
    FUZZ_HOLDS(lazy_value_duration(buffer, &duration) && duration == wanted);
}

static void check_size(const char *text)
{
    static const char *const units[] = {"", "K", "M", "G", NULL};
    static const long long factors[] = {1, 1 << 10, 1 << 20, 1 << 30};
    long long size, wanted;
    bool is_good = scale(text, units, factors, SIZE_MOST, &wanted);

    FUZZ_HOLDS(lazy_value_size(text, &size) == is_good);
    FUZZ_HOLDS(!is_good || size == wanted);
}

static void check_count(const char *text)
{
    static const char *const units[] = {"", NULL};
    static const long long factors[] = {1};
    long long count, wanted;
    bool is_good = scale(text, units, factors, 1000, &wanted);

    FUZZ_HOLDS(lazy_value_count(text, &count) == is_good);
    FUZZ_HOLDS(!is_good || count == wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);

    check_number(text, 9);
    check_number(text, 65535);
    check_number(text, LLONG_MAX - 1);
    check_number(text, LLONG_MAX);
    check_duration(text);
    check_size(text);
    check_count(text);
    free(text);
    return 0;
}

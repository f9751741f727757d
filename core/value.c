#include "value.h"

#include <string.h>

bool lazy_value_number(const char *text, long long most, long long *number, const char **end)
{
    long long sum = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';
        if (digit > most || sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    if (at == text)
        return false;
    *number = sum;
    *end = at;
    return true;
}

struct unit {
    const char *name;
    long long factor;
};

/* The number times the unit named behind it; false when that isn't in the list or passes `most`. */
static bool scaled(const char *text, const struct unit *units, size_t count, long long most,
                   long long *value)
{
    long long number;
    const char *end;

    if (!lazy_value_number(text, most, &number, &end))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (number > most / units[i].factor)
            return false;
        *value = number * units[i].factor;
        return true;
    }
    return false;
}

bool lazy_value_duration(const char *text, long long *milliseconds)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};

    return scaled(text, units, 3, 24 * 3600 * 1000LL, milliseconds) && *milliseconds > 0;
}

bool lazy_value_size(const char *text, long long *bytes)
{
    static const struct unit units[] = {{"", 1}, {"K", 1LL << 10}, {"M", 1LL << 20}, {"G", 1LL << 30}};

    return scaled(text, units, 4, 1LL << 40, bytes);
}

bool lazy_value_count(const char *text, long long *count)
{
    const char *end;

    return lazy_value_number(text, 1000, count, &end) && *end == '\0';
}

/* Durations, sizes and counts, as people write them. */
#ifndef LAZY_VALUE_H
#define LAZY_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* A run of digits; false when there is none or it passes `most`. *end is set behind it. */
bool lazy_value_number(const char *text, long long most, long long *number, const char **end);

/* "500ms", "30s", "5m" to milliseconds: at least 1 ms, at most a day. */
bool lazy_value_duration(const char *text, long long *milliseconds);

/* "4096", "64K", "10M", "1G" to bytes (K = 1024), at most 1024G. */
bool lazy_value_size(const char *text, long long *bytes);

/* A bare number of at most 1000. */
bool lazy_value_count(const char *text, long long *count);

#endif

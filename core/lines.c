#include "lines.h"

#include <string.h>

/* Cuts white space (a CR from a Windows editor too) from both ends of [start, end). */
static char *trim(char *start, char *end)
{
    while (start < end && strchr(" \t\r", *start))
        start++;
    while (end > start && strchr(" \t\r", end[-1]))
        end--;
    *end = '\0';
    return start;
}

enum lazy_line lazy_lines_next(struct lazy_lines *lines, char **key, char **value)
{
    while (*lines->next != '\0') {
        char *line = lines->next;
        char *end = strchr(line, '\n'), *equals;

        if (end == NULL)
            end = line + strlen(line);
        lines->next = *end == '\n' ? end + 1 : end;
        lines->number++;
        line = trim(line, end);
        if (*line == '\0' || *line == '#')
            continue;
        *key = line;
        equals = strchr(line, '=');
        if (equals == NULL || equals == line)
            return LAZY_LINE_MALFORMED;
        *value = trim(equals + 1, equals + strlen(equals));
        trim(line, equals);
        return LAZY_LINE_PAIR;
    }
    return LAZY_LINE_END;
}

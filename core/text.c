#include "text.h"

#include <string.h>

#define LAST_SECOND 253402300799 /* of the year 9999 */

void lazy_text_begin(struct lazy_text *text, char *start, size_t size)
{
    *text = (struct lazy_text){.start = start, .size = size};
    if (size > 0)
        start[0] = '\0';
}

void lazy_text_bytes(struct lazy_text *text, const char *bytes, size_t length)
{
    size_t room = text->size > text->length ? text->size - text->length - 1 : 0;

    if (length > room) {
        length = room;
        text->cut = true;
    }
    if (length == 0)
        return;
    memcpy(text->start + text->length, bytes, length);
    text->length += length;
    text->start[text->length] = '\0';
}

void lazy_text_add(struct lazy_text *text, const char *string)
{
    lazy_text_bytes(text, string, strlen(string));
}

/* At least `width` digits. */
static void add_digits(struct lazy_text *text, unsigned long long number, int width)
{
    char digits[24];
    char *at = digits + sizeof digits;

    for (; number > 0 || width > 0; number /= 10, width--)
        *--at = (char)('0' + number % 10);
    lazy_text_bytes(text, at, (size_t)(digits + sizeof digits - at));
}

static void add_part(struct lazy_text *text, const char *separator, int number)
{
    lazy_text_add(text, separator);
    add_digits(text, (unsigned)number, 2);
}

static void add_number(struct lazy_text *text, long long number)
{
    if (number < 0)
        lazy_text_add(text, "-");
    add_digits(text, number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number, 1);
}

void lazy_text_vformat(struct lazy_text *text, const char *format, va_list arguments)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            lazy_text_bytes(text, format, 1);
            continue;
        }
        switch (*++format) {
        case 's':
            lazy_text_add(text, va_arg(arguments, const char *));
            break;
        case 'd':
            add_number(text, va_arg(arguments, int));
            break;
        case 'l':
            add_number(text, va_arg(arguments, long long));
            format += 2;
            break;
        default:
            lazy_text_bytes(text, "%", 1);
        }
    }
}

void lazy_text_format(struct lazy_text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    lazy_text_vformat(text, format, arguments);
    va_end(arguments);
}

void lazy_text_duration(struct lazy_text *text, long long milliseconds)
{
    if (milliseconds % 1000 != 0)
        lazy_text_format(text, "%lldms", milliseconds);
    else if (milliseconds % 60000 != 0 || milliseconds == 0)
        lazy_text_format(text, "%llds", milliseconds / 1000);
    else
        lazy_text_format(text, "%lldm", milliseconds / 60000);
}

void lazy_text_utc(struct lazy_text *text, long long seconds)
{
    /* years that begin in March have their leap day at the end: then a month is 30.6 days, and the
     * days of 1970 began 719468 after the first of such years */
    if (seconds < 0 || seconds > LAST_SECOND)
        return;
    int days = (int)(seconds / 86400) + 719468, clock = (int)(seconds % 86400);
    int century = (4 * days + 3) / 146097, day = days - 146097 * century / 4;
    int year = (4 * day + 3) / 1461, month;

    day -= 1461 * year / 4;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    add_digits(text, (unsigned)(100 * century + year + (month >= 10)), 4);
    add_part(text, "-", month < 10 ? month + 3 : month - 9);
    add_part(text, "-", day + 1);
    add_part(text, " ", clock / 3600);
    add_part(text, ":", clock / 60 % 60);
    add_part(text, ":", clock % 60);
    lazy_text_add(text, " UTC");
}

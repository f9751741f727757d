#include "text.h"

#include <string.h>

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

void lazy_text_number(struct lazy_text *text, long long number)
{
    if (number < 0)
        lazy_text_add(text, "-");
    add_digits(text, number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number, 1);
}

void lazy_text_duration(struct lazy_text *text, long long milliseconds)
{
    if (milliseconds % 1000 != 0) {
        lazy_text_number(text, milliseconds);
        lazy_text_add(text, "ms");
    } else if (milliseconds % 60000 != 0 || milliseconds == 0) {
        lazy_text_number(text, milliseconds / 1000);
        lazy_text_add(text, "s");
    } else {
        lazy_text_number(text, milliseconds / 60000);
        lazy_text_add(text, "m");
    }
}

void lazy_text_utc(struct lazy_text *text, long long seconds)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    long long days = seconds / 86400;
    int clock = (int)(seconds % 86400), year = 1970, month = 0;

    if (seconds < 0)
        return;
    for (;; year++) {
        int length = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365;
        if (days < length)
            break;
        days -= length;
    }
    for (;; month++) {
        int leap = month == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (days < month_days[month] + leap)
            break;
        days -= month_days[month] + leap;
    }
    add_digits(text, (unsigned)year, 4);
    lazy_text_add(text, "-");
    add_digits(text, (unsigned)month + 1, 2);
    lazy_text_add(text, "-");
    add_digits(text, (unsigned)days + 1, 2);
    lazy_text_add(text, " ");
    add_digits(text, (unsigned)clock / 3600, 2);
    lazy_text_add(text, ":");
    add_digits(text, (unsigned)clock / 60 % 60, 2);
    lazy_text_add(text, ":");
    add_digits(text, (unsigned)clock % 60, 2);
    lazy_text_add(text, " UTC");
}

#include "unit.h"

#include "core/lines.h"

#include <stdio.h>
#include <string.h>

/* What is found, as "<line>:<key>=<value>;", and "<line>!<line's text>;" for what is malformed. */
static const struct {
    const char *text, *found;
} texts[] = {
    {"", ""},
    {"\n\n\r\n \t \n", ""},
    {"# comment\n#!/bin/x a=b\n   # indented = too\n", ""},
    {"a=1", "1:a=1;"},
    {"a=1\n", "1:a=1;"},
    {"a = 1\nb = 2", "1:a=1;2:b=2;"},
    {"\n# one\n\na = 1\n\n\nb=2\n", "4:a=1;7:b=2;"},
    {"a = 1\r\nb = 2\r\n\r\n#\r\nc = 3\r\n", "1:a=1;2:b=2;5:c=3;"},
    {"a = 1\r", "1:a=1;"},
    {"\ra = \r1\n", "1:a=1;"},
    {" \t a \t = \t b c \t \n", "1:a=b c;"},
    {"a =", "1:a=;"},
    {"a =  \nb==c\n", "1:a=;2:b==c;"},
    {"env = NAME=value = more\n", "1:env=NAME=value = more;"},
    {"start = a # b\n", "1:start=a # b;"},
    {"two words = x\n", "1:two words=x;"},
    {"a = 1\rb = 2\n", "1:a=1\rb = 2;"},
    {"a = \xc3\xa9\n", "1:a=\xc3\xa9;"},
    {"start\n", "1!start;"},
    {"  start server \r\n", "1!start server;"},
    {"= x\n", "1!= x;"},
    {"  \t=\n", "1!=;"},
    {"a = 1\n\nwhat\nb = 2\n", "1:a=1;3!what;4:b=2;"},
};

START_TEST(lines_are_read)
{
    char text[128], found[256] = "";
    struct lazy_lines lines = {.next = text};
    char *key, *value;
    enum lazy_line line;

    snprintf(text, sizeof text, "%s", texts[_i].text);
    while ((line = lazy_lines_next(&lines, &key, &value)) != LAZY_LINE_END) {
        size_t length = strlen(found);

        if (line == LAZY_LINE_PAIR)
            snprintf(found + length, sizeof found - length, "%d:%s=%s;", lines.number, key, value);
        else
            snprintf(found + length, sizeof found - length, "%d!%s;", lines.number, key);
    }
    ck_assert_str_eq(found, texts[_i].found);
    ck_assert_int_eq(lazy_lines_next(&lines, &key, &value), LAZY_LINE_END);
}
END_TEST

START_TEST(strings_point_into_the_text)
{
    char text[] = "key = value\n";
    struct lazy_lines lines = {.next = text};
    char *key, *value;

    ck_assert_int_eq(lazy_lines_next(&lines, &key, &value), LAZY_LINE_PAIR);
    ck_assert_ptr_eq(key, text);
    ck_assert_ptr_eq(value, text + 6);
}
END_TEST

Suite *lines_suite(void)
{
    Suite *suite = suite_create("lines");
    TCase *tcase = unit_case(suite, "lines");

    tcase_add_loop_test(tcase, lines_are_read, 0, sizeof texts / sizeof *texts);
    tcase_add_test(tcase, strings_point_into_the_text);
    return suite;
}

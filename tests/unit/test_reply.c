#include "unit.h"

#include "core/reply.h"

#include <stdlib.h>
#include <string.h>

/* Looks at `length` bytes in a buffer of exactly that size, which the caller frees: the sanitizers and
 * valgrind see the first byte too many. */
static enum lazy_reply look(const char *bytes, size_t *length, char **buffer)
{
    *buffer = malloc(*length > 0 ? *length : 1);
    memcpy(*buffer, bytes, *length);
    return lazy_reply_head(*buffer, length, &(size_t){0});
}

/* What a beginning of a reply is taken for; one that isn't a whole head must be left as it is. */
static enum lazy_reply verdict(const char *bytes, size_t length)
{
    char *buffer;
    size_t after = length;
    enum lazy_reply reply = look(bytes, &after, &buffer);

    if (reply != LAZY_REPLY_HEAD) {
        ck_assert_uint_eq(after, length);
        ck_assert_mem_eq(buffer, bytes, length);
    }
    free(buffer);
    return reply;
}

static const struct {
    const char *head, *result; /* NULL: the same */
} good[] = {
    {"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n", NULL},
    {"Status: 200 OK\nContent-Type: text/plain\n\n", NULL},
    {"status:200\n\n", NULL},
    {"Statuses: many\n\n", NULL},
    {"Content-Type: text/plain\n\n", NULL},
    {"Content-Type: text/plain\r\n\n", NULL},
    {"Location: /elsewhere\n\r\n", NULL},
    {"X:\n\n", NULL},
    {"!#$%&'*+-.^_`|~09azAZ: odd but good\n\n", NULL},
    {"X: \t\xe9\x80: <>\n\n", NULL},
    {"Status: 999 Odd\n\n", NULL},
    {"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "Status: 200 OK\r\nX: y\r\n\r\n"},
    {"HTTP/1.1 200 OK\nX: y\n\n", "Status: 200 OK\nX: y\n\n"},
    {"HTTP/1.0 400\r\nX: y\r\n\r\n", "Status: 400\r\nX: y\r\n\r\n"},
    {"HTTP/1.0 400 \nX: y\n\n", "Status: 400 \nX: y\n\n"},
    {"HTTP/1.1 404 Not Found\n\n", "Status: 404 Not Found\n\n"},
    {"HTTP/2 200\n\n", "Status:200\n\n"}, /* no byte longer than it was */
    {"HTTP/1.1   200 OK\n\n", "Status: 200 OK\n\n"},
};

#define GOOD ((int)(sizeof good / sizeof *good))

START_TEST(good_heads_are_taken)
{
    const char *result = good[_i].result ? good[_i].result : good[_i].head;
    size_t length = strlen(good[_i].head);
    char *buffer;

    ck_assert_int_eq(look(good[_i].head, &length, &buffer), LAZY_REPLY_HEAD);
    ck_assert_uint_eq(length, strlen(result));
    ck_assert_mem_eq(buffer, result, length);
    /* once more gives the same */
    ck_assert_int_eq(lazy_reply_head(buffer, &length, &(size_t){0}), LAZY_REPLY_HEAD);
    ck_assert_uint_eq(length, strlen(result));
    ck_assert_mem_eq(buffer, result, length);
    free(buffer);
}
END_TEST

START_TEST(heads_may_come_byte_by_byte)
{
    size_t length = strlen(good[_i].head);

    for (size_t come = 0; come < length; come++)
        ck_assert_msg(verdict(good[_i].head, come) == LAZY_REPLY_MORE, "after %zu of '%s'",
                      come, good[_i].head);
}
END_TEST

START_TEST(bodies_are_kept)
{
    static const char body[] = "\0\r\n\r\nHTTP/1.1 500 No\n\n\xff\xfe: body\n";
    const char *result = good[_i].result ? good[_i].result : good[_i].head;
    size_t head = strlen(good[_i].head), length = head + sizeof body;
    char bytes[200], *buffer;

    memcpy(bytes, good[_i].head, head);
    memcpy(bytes + head, body, sizeof body);
    ck_assert_int_eq(look(bytes, &length, &buffer), LAZY_REPLY_HEAD);
    ck_assert_uint_eq(length, strlen(result) + sizeof body);
    ck_assert_mem_eq(buffer, result, strlen(result));
    ck_assert_mem_eq(buffer + strlen(result), body, sizeof body);
    free(buffer);
}
END_TEST

#define BYTES(text) text, sizeof(text) - 1

/* `at`: from so many bytes on it is known to be bad. */
static const struct {
    const char *bytes;
    size_t length, at;
} bad[] = {
    {BYTES("<html>Hello</html>\n\n"), 1}, /* no need to wait for a line that may never end */
    {BYTES("Hello, world\n\n"), 6},
    {BYTES("Traceback (most recent call last):\n"), 10},
    {BYTES("\x7f" "ELF\n"), 1},
    {BYTES("\0\0\0\0\n"), 1},
    {BYTES("\n"), 1},   /* no field at all */
    {BYTES("\r\n"), 1},
    {BYTES(" X: y\n\n"), 1},
    {BYTES(": y\n\n"), 1},
    {BYTES("X : y\n\n"), 2},
    {BYTES("Hello\n\n"), 6},
    {BYTES("X/Y: z\n\n"), 7},
    {BYTES("X: y\nHello\n\n"), 11},
    {BYTES("X: y\n: z\n\n"), 9},
    {BYTES("X: y\n folded\n\n"), 13},
    {BYTES("X: y\nA\xc4: z\n\n"), 11},
    {BYTES("X: a\0b\n\n"), 7},
    {BYTES("X: y\nA: a\0b\n\n"), 12},
    {BYTES("X: a\rSet-Cookie: b\n\n"), 19},
    {BYTES("X: y\nA: a\rb\n\n"), 12},
    {BYTES("X: y\r\r\n\r\n"), 7},
    {BYTES("X: y\n\r\r\n"), 8},
    {BYTES("HTTP/1.1 OK\n\n"), 12},
    {BYTES("HTTP/1.1 20\n\n"), 12},
    {BYTES("HTTP/1.1\n\n"), 9},
    {BYTES("HTTP/ 200 OK\n\n"), 13},
    {BYTES("HTTP/\n\n"), 6},
    {BYTES("HTTP/1.1 2x0 OK\n\n"), 16},
    {BYTES("http/1.1 200 OK\n\n"), 16},
    {BYTES("HTTP/1.1 200 OK\nHello\n\n"), 22},
    {BYTES("X: y\nHTTP/1.1 200 OK\n\n"), 21},
    {BYTES("HTTP/1.1 200 O\rSet-Cookie: b\n\n"), 29}, /* the line that becomes Status: is a field */
    {BYTES("HTTP/1.1 200 O\0K\n\n"), 17},
    {BYTES("HTTP/1.1 099 Low\n\n"), 17},
    {BYTES("X: a\x01" "b\n\n"), 7}, /* no other control character either */
    {BYTES("X: a\x1f" "b\n\n"), 7},
    {BYTES("X: a\x7f" "b\n\n"), 7},
    {BYTES("Status: 200 O\x1bK\n\n"), 16},
    {BYTES("HTTP/1.1 200 O\x1bK\n\n"), 17},
    {BYTES("HTTP/1.1 100 Continue\r\n\r\n"), 23}, /* the body would be taken for the next head */
    {BYTES("Status: 101 Switching Protocols\n\n"), 32},
    {BYTES("Status: 199\n\n"), 12},
    {BYTES("Status: 99\n\n"), 11},
    {BYTES("Status:\n\n"), 8},
    {BYTES("X: y\nstatus: ok\n\n"), 16},
    {BYTES("STATUS: 0200 OK\n\n"), 16},
};

START_TEST(bad_heads_are_refused_early)
{
    for (size_t come = 0; come <= bad[_i].length; come++)
        ck_assert_msg(verdict(bad[_i].bytes, come) ==
                          (come < bad[_i].at ? LAZY_REPLY_MORE : LAZY_REPLY_BAD),
                      "after %zu of '%s'", come, bad[_i].bytes);
}
END_TEST

START_TEST(long_heads_are_taken)
{
    static char head[LAZY_REPLY_HEAD_MAX];
    size_t length = sizeof head, good = 0;

    memset(head, 'v', sizeof head);
    memcpy(head, "X: ", 3);
    ck_assert_int_eq(lazy_reply_head(head, &length, &good), LAZY_REPLY_MORE);
    memcpy(head + sizeof head - 4, "\r\n\r\n", 4);
    ck_assert_int_eq(lazy_reply_head(head, &length, &good), LAZY_REPLY_HEAD);
    ck_assert_uint_eq(length, sizeof head);
}
END_TEST

/* RFC 9110, 5.6.2 */
START_TEST(names_are_tokens)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz";

    for (int c = 0; c < 256; c++) {
        char head[] = "Xx: y\n\n";

        if (c == ':' || c == '\n')
            continue;
        head[1] = (char)c;
        ck_assert_int_eq(verdict(head, sizeof head - 1),
                         memchr(token, c, sizeof token - 1) != NULL ? LAZY_REPLY_HEAD : LAZY_REPLY_BAD);
    }
}
END_TEST

Suite *reply_suite(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = unit_case(suite, "reply");

    tcase_add_loop_test(tcase, good_heads_are_taken, 0, GOOD);
    tcase_add_loop_test(tcase, heads_may_come_byte_by_byte, 0, GOOD);
    tcase_add_loop_test(tcase, bodies_are_kept, 0, GOOD);
    tcase_add_loop_test(tcase, bad_heads_are_refused_early, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, long_heads_are_taken);
    tcase_add_test(tcase, names_are_tokens);
    return suite;
}

/* The head of a server's reply, whole and in pieces. */
#include "fuzz.h"

#include "core/reply.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Looks at the first `come` bytes, in memory of just that size; the result is in *bytes, the caller's. */
static enum lazy_reply look(const uint8_t *data, size_t come, char **bytes, size_t *length)
{
    enum lazy_reply verdict;

    *bytes = fuzz_bytes(data, come);
    *length = come;
    verdict = lazy_reply_head(*bytes, length, &(size_t){0});
    FUZZ_HOLDS(*length <= come);
    return verdict;
}

/* The line's length without its end, CR LF or LF. */
static size_t bare(const char *line, const char *newline)
{
    return (size_t)(newline - line) - (newline > line && newline[-1] == '\r');
}

static void check_status(const char *value, size_t length)
{
    while (length > 0 && *value == ' ')
        value++, length--;
    FUZZ_HOLDS(length >= 3);
    FUZZ_HOLDS(*value >= '2' && *value <= '9' && isdigit((unsigned char)value[1]) &&
               isdigit((unsigned char)value[2]));
}

/* One field, and no byte in it that could begin another. */
static void check_field(const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);

    FUZZ_HOLDS(colon != NULL && colon > line);
    for (const char *at = line; at < colon; at++)
        FUZZ_HOLDS(*at > ' ' && *at < 127 && strchr("\"(),/:;<=>?@[\\]{}", *at) == NULL);
    for (size_t i = 0; i < length; i++)
        FUZZ_HOLDS(line[i] == '\t' || !iscntrl((unsigned char)line[i]));
    if (length >= 7 && strncasecmp(line, "Status:", 7) == 0)
        check_status(line + 7, length - 7);
}

/* A CGI head: fields, at least one, and a blank line. */
static void check_head(const char *head, size_t length)
{
    const char *line = head, *end = head + length, *newline;
    size_t fields = 0;

    for (;; fields++, line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        FUZZ_HOLDS(newline != NULL);
        if (bare(line, newline) == 0)
            break;
        check_field(line, bare(line, newline));
    }
    FUZZ_HOLDS(fields > 0);
}

/* All is as it came; only the version of an HTTP line has become "Status:". */
static void check_kept(const char *result, size_t length, const uint8_t *data, size_t size)
{
    size_t status = 0;

    if (size > 5 && memcmp(data, "HTTP/", 5) == 0) {
        FUZZ_HOLDS(length > 7 && memcmp(result, "Status:", 7) == 0);
        status = result[7] == ' ' ? 8 : 7;
    } else {
        FUZZ_HOLDS(length == size);
    }
    FUZZ_HOLDS(length - status <= size);
    FUZZ_HOLDS(memcmp(result + status, data + size - (length - status), length - status) == 0);
}

/* What is a head already stays as it is. */
static void check_again(const char *result, size_t length)
{
    char *bytes;
    size_t again;

    FUZZ_HOLDS(look((const uint8_t *)result, length, &bytes, &again) == LAZY_REPLY_HEAD);
    FUZZ_HOLDS(again == length && memcmp(bytes, result, length) == 0);
    free(bytes);
}

/* However much has come when a verdict is found, it is the one on the whole, and so is the result. */
static void check_piece(const uint8_t *data, size_t come, size_t size, enum lazy_reply verdict,
                        const char *result, size_t length)
{
    char *bytes;
    size_t part;
    enum lazy_reply early = look(data, come, &bytes, &part);

    FUZZ_HOLDS(early == LAZY_REPLY_MORE || early == verdict);
    FUZZ_HOLDS(verdict != LAZY_REPLY_MORE || early == LAZY_REPLY_MORE);
    if (early == LAZY_REPLY_HEAD) {
        FUZZ_HOLDS(part + (size - come) == length);
        FUZZ_HOLDS(memcmp(result, bytes, part) == 0);
        FUZZ_HOLDS(memcmp(result + part, data + come, size - come) == 0);
    } else {
        FUZZ_HOLDS(part == come && (come == 0 || memcmp(bytes, data, come) == 0));
    }
    free(bytes);
}

/* Nor does it matter what was looked at before. */
static void check_pieces(const uint8_t *data, size_t size, size_t step, enum lazy_reply verdict,
                         const char *result)
{
    enum lazy_reply so_far = LAZY_REPLY_MORE;
    char *bytes = fuzz_bytes(data, size);
    size_t good = 0;

    for (size_t come = 0; so_far == LAZY_REPLY_MORE && come <= size; come++) {
        size_t length = come;

        if (come % step == 0 || come == size)
            so_far = lazy_reply_head(bytes, &length, &good);
        FUZZ_HOLDS(so_far != LAZY_REPLY_HEAD || memcmp(bytes, result, length) == 0);
    }
    FUZZ_HOLDS(so_far == verdict);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *result;
    size_t length, step = size > 256 ? size / 64 : 1;
    enum lazy_reply verdict = look(data, size, &result, &length);

    if (verdict == LAZY_REPLY_HEAD) {
        check_head(result, length);
        check_kept(result, length, data, size);
        check_again(result, length);
    }
    for (size_t come = 0; come < size; come += step)
        check_piece(data, come, size, verdict, result, length);
    check_pieces(data, size, step, verdict, result);
    free(result);
    return 0;
}

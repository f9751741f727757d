#include "reply.h"

#include <stdbool.h>
#include <string.h>

/* RFC 9110, 5.6.2: a bit for each character below 128. */
static bool is_token_char(char c)
{
    static const unsigned token[4] = {
        0,
        0x03ff6cfa, /* !#$%&'*+-. 0-9 */
        0xc7fffffe, /* A-Z ^_ */
        0x57ffffff, /* `a-z |~ */
    };
    unsigned char at = (unsigned char)c;

    return at < 128 && token[at / 32] >> at % 32 & 1;
}

/* No control character but tabs (RFC 9110, 5.5): least of all a CR, which httpd or a browser could take
 * for a line's end. */
static bool is_clean(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 127)
            return false;
    return true;
}

/* "200 OK": the three digits of a status. Not 1xx: after such a head a visitor waits for another, and
 * would find it in what follows. */
static bool has_code(const char *text, size_t length)
{
    if (length < 3 || text[0] < '2')
        return false;
    for (size_t i = 0; i < 3; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

/* "Status:" is followed by one (RFC 3875, 6.3.3). */
static bool is_good_status(const char *line, size_t length)
{
    size_t at = 7;

    for (size_t i = 0; i < at; i++)
        if (i == length || (line[i] | 0x20) != "status:"[i]) /* ASCII, whatever the locale */
            return true;
    while (at < length && line[at] == ' ')
        at++;
    return has_code(line + at, length - at);
}

/* "Name: value" */
static bool is_field(const char *line, size_t length)
{
    size_t name = 0;

    while (name < length && is_token_char(line[name]))
        name++;
    return name > 0 && name < length && line[name] == ':' && is_clean(line + name, length - name) &&
           is_good_status(line, length);
}

/* "HTTP/1.1 200 OK", "HTTP/1.0 400", "HTTP/2 200": the length, at least 7, up to the digits of the status. */
static size_t http_prefix(const char *line, size_t length)
{
    size_t at = 5;

    if (length < 6 || memcmp(line, "HTTP/", 5) != 0 || line[5] == ' ' || !is_clean(line, length))
        return 0;
    while (at < length && ((line[at] >= '0' && line[at] <= '9') || line[at] == '.'))
        at++;
    while (at < length && line[at] == ' ')
        at++;
    return has_code(line + at, length - at) ? at : 0;
}

/* Could this beginning of a first line become a good one? Garbage shall not be waited for. */
static bool may_begin(const char *buffer, size_t length)
{
    size_t name = 0;

    while (name < length && is_token_char(buffer[name]))
        name++;
    return name == length || (name > 0 && (buffer[name] == ':' || buffer[name] == '/'));
}

/* memchr(3), which would be the only user of a large one. */
static const char *line_end(const char *at, const char *end)
{
    for (; at < end; at++)
        if (*at == '\n')
            return at;
    return NULL;
}

/* Of a line without its end, CR LF or LF. */
static size_t bare_length(const char *line, const char *newline)
{
    return (size_t)(newline - line) - (newline > line && newline[-1] == '\r');
}

static void make_status(char *buffer, size_t *length, size_t prefix)
{
    size_t new = prefix == 7 ? 7 : 8; /* "HTTP/2 " has no room for the space, which isn't needed */

    memmove(buffer + new, buffer + prefix, *length - prefix);
    memcpy(buffer, "Status: ", new);
    *length = *length - prefix + new;
}

enum lazy_reply lazy_reply_head(char *buffer, size_t *length, size_t *good)
{
    const char *line = buffer + *good, *end = buffer + *length, *newline;
    size_t prefix;

    while ((newline = line_end(line, end)) != NULL) {
        size_t line_length = bare_length(line, newline);

        if (line_length == 0)
            break;
        if ((line > buffer || http_prefix(line, line_length) == 0) && !is_field(line, line_length))
            return LAZY_REPLY_BAD;
        line = newline + 1;
    }
    *good = (size_t)(line - buffer);
    if (newline == NULL)
        return line == buffer && !may_begin(buffer, *length) ? LAZY_REPLY_BAD : LAZY_REPLY_MORE;
    if (line == buffer)
        return LAZY_REPLY_BAD; /* a head without a field */
    prefix = http_prefix(buffer, bare_length(buffer, line_end(buffer, end)));
    if (prefix > 0)
        make_status(buffer, length, prefix);
    return LAZY_REPLY_HEAD;
}

#include "request.h"

#include "text.h"

#include <string.h>

#define PREFIX_MAX 24 /* room for the netstring's length and colon */

#define NAME(text) {sizeof text - 1, text}

static const struct {
    size_t length; /* which alone tells most variables apart */
    char text[24];
} left_out[] = {
    NAME("CONTENT_LENGTH"), NAME("SCGI"), /* the head has them already */
    NAME("HTTP_PROXY"), /* "httpoxy": a server's own HTTP client would take it for its proxy */
    NAME("HTTP_TRANSFER_ENCODING"), /* the body's transfer coding is undone: RFC 3875, 4.2 */
};

static void append_pair(struct lazy_request *request, const char *name, size_t name_length,
                        const char *value)
{
    size_t value_size = strlen(value) + 1, length = name_length + 1 + value_size;
    char *at;

    request->needed += length;
    if (request->needed > request->size)
        return;
    at = request->storage + request->needed - length;
    memcpy(at, name, name_length);
    at[name_length] = '\0';
    memcpy(at + name_length + 1, value, value_size);
}

static bool is_name(const char *name, size_t length, const char *wanted, size_t wanted_length)
{
    return length == wanted_length && memcmp(name, wanted, length) == 0;
}

static bool is_safe_method(const char *method)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        if (strcmp(method, safe[i]) == 0)
            return true;
    return false;
}

void lazy_request_begin(struct lazy_request *request, char *storage, size_t size,
                        long long content_length)
{
    char digits[24];
    struct lazy_text text;

    *request = (struct lazy_request){.storage = storage, .size = size, .needed = PREFIX_MAX};
    lazy_text_begin(&text, digits, sizeof digits);
    lazy_text_format(&text, "%lld", content_length);
    append_pair(request, "CONTENT_LENGTH", 14, digits); /* the SCGI document wants it first */
    append_pair(request, "SCGI", 4, "1");
}

void lazy_request_add(struct lazy_request *request, const char *name, size_t name_length,
                      const char *value)
{
    if (name_length == 0)
        return;
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (is_name(name, name_length, left_out[i].text, left_out[i].length))
            return;
    if (is_name(name, name_length, "REQUEST_METHOD", 14))
        request->is_safe = is_safe_method(value);
    append_pair(request, name, name_length, value);
}

int lazy_request_end(struct lazy_request *request)
{
    char prefix[PREFIX_MAX];
    struct lazy_text text;

    lazy_text_begin(&text, prefix, sizeof prefix);
    lazy_text_format(&text, "%lld:", (long long)(request->needed - PREFIX_MAX));
    if (++request->needed > request->size)
        return -1;
    request->storage[request->needed - 1] = ',';
    request->head = request->storage + PREFIX_MAX - text.length;
    request->head_length = request->needed - PREFIX_MAX + text.length;
    memcpy(request->storage + PREFIX_MAX - text.length, prefix, text.length);
    return 0;
}

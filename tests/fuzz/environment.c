/* The CGI environment -> the head of a SCGI request.  The input: four bytes of a content length, then the
 * environment, a NUL after each string. */
#include "fuzz.h"

#include "cgi/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRINGS_MAX 256

static char *strings[STRINGS_MAX + 1];

/* Makes the bytes the environment, each string in memory of its own. */
static void set_environment(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    size_t count = 0, length;

    for (; at < end && count < STRINGS_MAX; at += length + 1) {
        length = strnlen(at, (size_t)(end - at));
        strings[count++] = fuzz_string(at, length);
    }
    strings[count] = NULL;
    environ = strings;
}

static void free_environment(void)
{
    for (size_t i = 0; strings[i] != NULL; i++)
        free(strings[i]);
    strings[0] = NULL;
}

static bool begins_with_name(const char *string, const char *name)
{
    size_t length = strlen(name);

    return strncmp(string, name, length) == 0 && string[length] == '=';
}

/* What belongs into a head; by a plain reading of request.h. */
static bool is_wanted(const char *string)
{
    static const char *const left_out[] = {"", "CONTENT_LENGTH", "SCGI", "HTTP_PROXY",
                                           "HTTP_TRANSFER_ENCODING"};

    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (begins_with_name(string, left_out[i]))
            return false;
    return strchr(string, '=') != NULL;
}

struct reading {
    const char *at, *end;
};

static void take(struct reading *reading, const char *bytes, size_t length)
{
    FUZZ_HOLDS((size_t)(reading->end - reading->at) >= length);
    FUZZ_HOLDS(memcmp(reading->at, bytes, length) == 0);
    reading->at += length;
}

/* "12:" and ",": moves to what is between, which is as long as that says. */
static void open_netstring(struct reading *reading)
{
    size_t length = 0;

    FUZZ_HOLDS(reading->at < reading->end && *reading->at >= '1' && *reading->at <= '9');
    while (reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9')
        length = length * 10 + (size_t)(*reading->at++ - '0');
    take(reading, ":", 1);
    FUZZ_HOLDS((size_t)(reading->end - reading->at) == length + 1);
    FUZZ_HOLDS(*--reading->end == ',');
}

static void take_number(struct reading *reading, uint32_t number)
{
    char *end;

    FUZZ_HOLDS(*reading->at >= '0' && *reading->at <= '9');
    FUZZ_HOLDS(strtoll(reading->at, &end, 10) == number);
    reading->at = end;
    take(reading, "", 1);
}

/* The variables of the environment, as they are and in their order, and nothing else. */
static void check_head(const struct lazy_request *request, uint32_t content_length)
{
    struct reading reading = {request->head, request->head + request->head_length};

    open_netstring(&reading);
    take(&reading, "CONTENT_LENGTH", 15);
    take_number(&reading, content_length);
    take(&reading, "SCGI\0" "1", 7);
    for (char **at = strings; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');

        if (!is_wanted(*at))
            continue;
        take(&reading, *at, (size_t)(equals - *at));
        take(&reading, "", 1);
        take(&reading, equals + 1, strlen(equals));
    }
    FUZZ_HOLDS(reading.at == reading.end);
}

static void check_safe(const struct lazy_request *request)
{
    const char *method = "";

    for (char **at = strings; *at != NULL; at++)
        if (begins_with_name(*at, "REQUEST_METHOD"))
            method = *at + strlen("REQUEST_METHOD=");
    FUZZ_HOLDS(request->is_safe == (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
                                    strcmp(method, "OPTIONS") == 0 || strcmp(method, "TRACE") == 0 ||
                                    strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0));
}

/* Storage of just `size` bytes holds the whole head, or none of it counts. */
static void check_storage(size_t size, size_t needed, uint32_t content_length)
{
    char *storage = malloc(size);
    struct lazy_request request;
    int result;

    FUZZ_HOLDS(storage != NULL || size == 0);
    result = lazy_environment_encode(&request, storage, size, content_length);
    FUZZ_HOLDS(result == (size < needed ? -1 : 0));
    FUZZ_HOLDS(request.needed == needed);
    check_safe(&request);
    if (result == 0) {
        FUZZ_HOLDS(request.head >= storage && request.head + request.head_length <= storage + size);
        check_head(&request, content_length);
    }
    free(storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lazy_request request;
    uint32_t content_length = 0;
    size_t step;

    if (size < sizeof content_length)
        return 0;
    memcpy(&content_length, data, sizeof content_length);
    set_environment(data + sizeof content_length, size - sizeof content_length);
    FUZZ_HOLDS(lazy_environment_encode(&request, NULL, 0, content_length) == -1);
    step = request.needed > 128 ? request.needed / 8 : 1;
    for (size_t less = request.needed; less > 0; less -= less < step ? less : step)
        check_storage(request.needed - less, request.needed, content_length);
    check_storage(request.needed, request.needed, content_length);
    check_storage(request.needed - 1, request.needed, content_length);
    check_storage(request.needed + 1, request.needed, content_length);
    free_environment();
    return 0;
}

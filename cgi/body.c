#include "body.h"

#include "environment.h"

#include "core/spool.h"
#include "core/value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNKNOWN LLONG_MAX
#define MALFORMED (-1)
#define PIECES_SIZE 65536 /* bytes read from stdin at a time, or kept to be sent once more */

static long long taken; /* bytes of stdin that were read */

static ssize_t read_stdin(void *context, char *buffer, size_t size)
{
    ssize_t got = read(0, buffer, size);

    (void)context;
    if (got > 0)
        taken += got;
    return got;
}

static ssize_t read_spool(void *context, char *buffer, size_t size)
{
    return lazy_spool_read(context, buffer, size);
}

static void rewind_spool(void *context)
{
    lazy_spool_rewind(context);
}

/* A body may come without a length: HTTP/1.1 then says so in a header, HTTP/2 does not. */
static bool may_have_body(void)
{
    static const char *const without[] = {"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"};
    const char *method = getenv("REQUEST_METHOD");

    if (method == NULL || getenv("HTTP_TRANSFER_ENCODING") != NULL)
        return true;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (strcmp(method, without[i]) == 0)
            return false;
    return true;
}

/* What stdin holds: its length; UNKNOWN, to be read to its end; or MALFORMED. */
static long long announced(void)
{
    const char *text = getenv("CONTENT_LENGTH"), *end;
    long long length;

    if (text == NULL || *text == '\0')
        return may_have_body() ? UNKNOWN : 0;
    return lazy_value_number(text, UNKNOWN - 1, &length, &end) && *end == '\0' ? length : MALFORMED;
}

static int spool_stdin(struct lazy_body *body, const struct lazy_app *app, struct lazy_error *error)
{
    static struct lazy_spool spool;
    static char buffer[LAZY_SPOOL_MEMORY];
    ssize_t got;

    lazy_spool_begin(&spool, lazy_environment_tmpdir(), app->settings.max_body);
    while ((got = read_stdin(NULL, buffer, sizeof buffer)) != 0) {
        if (got < 0 && errno != EINTR)
            return lazy_error_set(error, LAZY_VISITOR_GONE, errno, "the visitor has gone");
        if (got > 0 && lazy_spool_write(&spool, buffer, (size_t)got, error) < 0)
            return -1;
    }
    *body = (struct lazy_body){.length = spool.length, .fd = -1, .read = read_spool,
                               .rewind = rewind_spool, .context = &spool,
                               .buffer = buffer, .size = sizeof buffer};
    return 0;
}

int lazy_body_begin(struct lazy_body *body, const struct lazy_app *app, struct lazy_error *error)
{
    static char pieces[PIECES_SIZE];

    *body = (struct lazy_body){.length = announced(), .fd = 0, .read = read_stdin,
                               .buffer = pieces, .size = sizeof pieces};
    if (body->length == UNKNOWN)
        return spool_stdin(body, app, error);
    if (body->length == MALFORMED)
        return lazy_error_set(error, LAZY_REQUEST, 0, "CONTENT_LENGTH can't be '%s'",
                              getenv("CONTENT_LENGTH"));
    return 0;
}

void lazy_body_drain(void)
{
    long long most = announced();
    char rest[16384];
    ssize_t got = 1;

    while (taken < most && (got > 0 || (got < 0 && errno == EINTR)))
        got = read_stdin(NULL, rest, (long long)sizeof rest < most - taken ? sizeof rest
                                                                           : (size_t)(most - taken));
}

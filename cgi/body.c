#include "body.h"

#include "environment.h"

#include "core/spool.h"
#include "core/value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t read_stdin(void *context, char *buffer, size_t size)
{
    (void)context;
    return read(0, buffer, size);
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

static int spool_stdin(struct lazy_body *body, const struct lazy_app *app, struct lazy_error *error)
{
    static struct lazy_spool spool;
    static char buffer[LAZY_SPOOL_MEMORY];

    lazy_spool_begin(&spool, lazy_environment_tmpdir(), app->settings.max_body);
    for (;;) {
        ssize_t got = read(0, buffer, sizeof buffer);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lazy_error_set(error, LAZY_VISITOR_GONE, errno, "the visitor has gone");
        if (got == 0)
            break;
        if (lazy_spool_write(&spool, buffer, (size_t)got, error) < 0)
            return -1;
    }
    *body = (struct lazy_body){.length = spool.length, .fd = -1, .read = read_spool,
                               .rewind = rewind_spool, .context = &spool};
    return 0;
}

int lazy_body_begin(struct lazy_body *body, const struct lazy_app *app, struct lazy_error *error)
{
    const char *length = getenv("CONTENT_LENGTH"), *end;

    *body = (struct lazy_body){.fd = 0, .read = read_stdin};
    if (length == NULL || *length == '\0')
        return may_have_body() ? spool_stdin(body, app, error) : 0;
    if (!lazy_value_number(length, LLONG_MAX, &body->length, &end) || *end != '\0')
        return lazy_error_set(error, LAZY_REQUEST, 0, "CONTENT_LENGTH can't be '%s'", length);
    return 0;
}

void lazy_body_abandon(void)
{
    char rest[4096];

    if (shutdown(0, SHUT_RD) < 0) {
        close(0); /* a pipe: its writer gets EPIPE */
        return;
    }
    /* mod_cgid's one socket for both ways: closed with something unread in it, it would be reset, and
     * what we have written lost with it (unix(7) queues; af_unix.c, unix_release_sock) */
    while (recv(0, rest, sizeof rest, MSG_DONTWAIT) > 0)
        ;
}

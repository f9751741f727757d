#include "forward.h"

#include "body.h"
#include "environment.h"
#include "output.h"

#include "core/app.h"
#include "core/call.h"
#include "core/exchange.h"
#include "core/spool.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;

    return strcmp(a, b) == 0 || (lazy_call_stat(AT_FDCWD, a, &first, 0) == 0 &&
                                 lazy_call_stat(AT_FDCWD, b, &second, 0) == 0 &&
                                 first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

static bool begins_with_interpreter(const char *file)
{
    char mark[2] = "";
    int fd = lazy_call_open(AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    bool begins = fd >= 0 && read(fd, mark, 2) == 2 && memcmp(mark, "#!", 2) == 0;

    if (fd >= 0)
        close(fd);
    return begins;
}

/* Loads the app file. A query without `=` becomes arguments (RFC 3875, 4.4), so that argv[1] counts
 * only when it is the script that was asked for; and even then a visitor may have named the program
 * itself, installed as the script: what isn't a `#!` script has its app file beside it. */
static int load(struct lazy_app *app, const char *argument, const char **file,
                struct lazy_error *error)
{
    static char beside[PATH_MAX];
    struct lazy_text text;

    *file = getenv("SCRIPT_FILENAME");
    if (*file == NULL) {
        *file = "SCRIPT_FILENAME";
        return lazy_error_set(error, LAZY_APP, 0, "the web server does not set this variable");
    }
    if (argument != NULL && is_same_file(argument, *file)) {
        if (lazy_app_load(app, *file, NULL, error) == 0)
            return 0;
        if ((error->errnum != 0 && error->errnum != EACCES) || begins_with_interpreter(*file))
            return -1;
    }
    lazy_text_begin(&text, beside, sizeof beside);
    lazy_text_format(&text, "%s.conf", *file);
    *file = beside;
    return lazy_app_load(app, beside, NULL, error);
}

static void on_event(void *context, enum lazy_event event, int ms, const char *sentence)
{
    (void)ms;
    if (event != LAZY_EVENT_NOTICE)
        return; /* every line of ours is an error to httpd */
    lazy_output_log(((const struct lazy_app *)context)->file, sentence);
}

static int cant_send(struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_VISITOR_GONE, errno, "the visitor has gone");
}

static int send_kept(struct lazy_spool *kept, struct lazy_error *error)
{
    static char buffer[LAZY_SPOOL_MEMORY];
    ssize_t got;

    while ((got = lazy_spool_read(kept, buffer, sizeof buffer)) > 0)
        if (lazy_output_send(1, buffer, (size_t)got) < 0)
            return cant_send(error);
    return got < 0 ? lazy_error_set(error, LAZY_SPOOL, errno, "the temporary file can't be read") : 0;
}

/* From now on httpd reads what we write. */
static int release(struct lazy_exchange *exchange, struct lazy_spool *kept, struct lazy_error *error)
{
    if (exchange->upload.refused || !lazy_exchange_body_done(exchange))
        lazy_body_drain();
    return send_kept(kept, error);
}

#define LONG_PIECE 32768 /* as of a long reply: Linux hands out one write of the server's in pieces of 36 KiB */

/* Hands the reply out as it comes. Only what comes while httpd is still busy sending the body, and so
 * does not read, is kept: else the server could go on with neither, and all would wait for each other.
 * *begun: the visitor has got some of it. */
static int pass_reply(struct lazy_exchange *exchange, bool *begun, struct lazy_error *error)
{
    static struct lazy_spool kept;
    static char buffer[LAZY_REPLY_HEAD_MAX];
    ssize_t got;

    lazy_spool_begin(&kept, lazy_environment_tmpdir(), exchange->app->settings.max_body);
    do {
        int result = 0;

        got = lazy_exchange_read(exchange, buffer, sizeof buffer, error);
        if (got == -1)
            return -1;
        if (!*begun && (got == 0 || lazy_exchange_body_done(exchange))) {
            result = release(exchange, &kept, error);
            *begun = result == 0 || kept.position > 0;
        }
        if (result == 0 && got == LAZY_EXCHANGE_LATER)
            result = lazy_exchange_wait(exchange, error);
        if (result == 0 && got > 0 && !*begun)
            result = lazy_spool_write(&kept, buffer, (size_t)got, error);
        if (result == 0 && got > 0 && *begun && lazy_output_send(1, buffer, (size_t)got) < 0)
            result = cant_send(error);
        if (result < 0)
            return -1;
        if (got >= LONG_PIECE && *begun)
            lazy_output_splice(exchange->fd);
    } while (got != 0);
    return 0;
}

/* The storage is on the stack, for it is large enough: execve(2) lets the environment be a quarter of
 * the stack's limit, and more than the environment goes into no head. */
static int exchange_all(struct lazy_app *app, const struct lazy_body *body, bool *begun,
                        struct lazy_error *error)
{
    static struct lazy_exchange exchange;
    struct lazy_front front = {.visitor = 1, .event = on_event, .context = app};
    struct lazy_request request;

    lazy_environment_encode(&request, NULL, 0, body->length);
    char storage[request.needed];
    lazy_environment_encode(&request, storage, sizeof storage, body->length);
    if (lazy_exchange_begin(&exchange, app, &front, error) < 0)
        return -1;
    lazy_exchange_send(&exchange, &request, body);
    return pass_reply(&exchange, begun, error);
}

static int forward(struct lazy_app *app, const char *argument, const char **file, bool *begun,
                   struct lazy_error *error)
{
    struct lazy_body body;

    if (load(app, argument, file, error) < 0 || lazy_body_begin(&body, app, error) < 0)
        return -1;
    app->environment = environ;
    return exchange_all(app, &body, begun, error);
}

void lazy_forward(const char *argument)
{
    static struct lazy_app app;
    struct lazy_error error;
    const char *file;
    bool begun = false;

    if (forward(&app, argument, &file, &begun, &error) == 0 || error.failure == LAZY_VISITOR_GONE)
        return;
    lazy_output_log(file, error.sentence);
    if (begun)
        return; /* CGI has no way to say that a reply was cut short */
    lazy_body_drain();
    lazy_output_page(&error);
}

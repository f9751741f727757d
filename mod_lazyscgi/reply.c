#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <util_script.h>

#include <apr_strings.h>

#include "failure.h"
#include "reply.h"
#include "sendfile.h"

#include "core/value.h"

APLOG_USE_MODULE(lazyscgi);

#define PIECE_SIZE 65536  /* bytes read at a time */
#define EARLY_PIECE 4096  /* while the body is under way: what a socket takes that has room at all */
#define EARLY_MOST 16384  /* what any connection takes: an error page, say */

struct output {
    struct lazy_visit *visit;
    apr_bucket_brigade *brigade;
    apr_size_t handed_on;    /* bytes */
    bool is_held;            /* httpd may still hold some of it, or the head, for want of a flush */
    struct lazy_spool *kept; /* what would not go on before the body was sent; NULL: nothing */
    long long left;          /* bytes that Content-Length still promises; -1: it does not say */
};

/* ---- the head ---------------------------------------------------------------------------------- */

struct lines {
    const char *next, *end;
};

/* One line with its end, as httpd's parser wants it; it has no NUL: lazy_reply_head() has seen to that.
 * 0, which that parser refuses, for one that is too long: its rest must not be taken for a field. */
static int get_line(char *line, int size, void *context)
{
    struct lines *lines = context;
    const char *newline = memchr(lines->next, '\n', (size_t)(lines->end - lines->next));
    size_t length = newline != NULL ? (size_t)(newline + 1 - lines->next) : 0;

    if (length >= (size_t)size)
        length = 0;
    memcpy(line, lines->next, length);
    line[length] = '\0';
    lines->next += length;
    return (int)length;
}

static int scan_head(request_rec *request, struct lines *lines)
{
    char wrong[MAX_STRING_LEN];
    int result;

#ifdef AP_TRUST_CGILIKE_CL_ENVVAR
    /* we hold the server to its Content-Length, so that httpd may rely on it */
    apr_table_setn(request->subprocess_env, AP_TRUST_CGILIKE_CL_ENVVAR, "1");
#endif
    result = ap_scan_script_header_err_core_ex(request, wrong, get_line, lines, APLOG_MODULE_INDEX);
    /* which it would do with this too, and pass the body on as if it were in chunks */
    apr_table_unset(request->headers_out, "Transfer-Encoding");
    return result;
}

static bool has_body(const request_rec *request)
{
    return !request->header_only && request->status != HTTP_NO_CONTENT &&
           request->status != HTTP_NOT_MODIFIED;
}

static long long promised(request_rec *request)
{
    const char *text = apr_table_get(request->headers_out, "Content-Length"), *end;
    long long length;

    if (text == NULL)
        return -1;
    if (lazy_value_number(text, APR_INT64_MAX, &length, &end) && *end == '\0')
        return length;
    apr_table_unset(request->headers_out, "Content-Length");
    return -1;
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static int gone(struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_VISITOR_GONE, 0, "the visitor has gone");
}

static int pass(struct output *output, struct lazy_error *error)
{
    request_rec *request = output->visit->request;
    apr_status_t status = ap_pass_brigade(request->output_filters, output->brigade);

    apr_brigade_cleanup(output->brigade);
    return status == APR_SUCCESS && !request->connection->aborted ? 0 : gone(error);
}

static int pass_and_flush(struct output *output, struct lazy_error *error)
{
    apr_bucket_alloc_t *alloc = output->visit->request->connection->bucket_alloc;

    if (!output->is_held)
        return 0;
    output->is_held = false;
    APR_BRIGADE_INSERT_TAIL(output->brigade, apr_bucket_flush_create(alloc));
    return pass(output, error);
}

static void append(struct output *output, apr_bucket *bucket)
{
    output->handed_on += bucket->length;
    output->is_held = true;
    APR_BRIGADE_INSERT_TAIL(output->brigade, bucket);
}

/* A visitor who sends all of the body before he reads anything must not hold up the server, and with it
 * his own body: so until that is sent, no more goes on than the connection takes at once. */
static bool may_go_on(const struct output *output)
{
    const struct lazy_visit *visit = output->visit;

    return lazy_exchange_body_done(&visit->exchange) || output->handed_on < EARLY_MOST ||
           lazy_front_is_ready(&visit->front);
}

static int keep(struct output *output, const char *bytes, size_t length, struct lazy_error *error)
{
    struct lazy_visit *visit = output->visit;

    if (output->kept == NULL)
        output->kept = lazy_input_make_spool(visit->request->pool,
                                             visit->exchange.app->settings.max_body);
    return lazy_spool_write(output->kept, bytes, length, error);
}

/* Hands on what was kept, as far as that goes now. */
static int pass_kept(struct output *output, struct lazy_error *error)
{
    apr_bucket_alloc_t *alloc = output->visit->request->connection->bucket_alloc;

    while (output->kept != NULL && may_go_on(output)) {
        size_t size = lazy_exchange_body_done(&output->visit->exchange) ? PIECE_SIZE : EARLY_PIECE;
        char *piece = apr_bucket_alloc(size, alloc);
        ssize_t got = lazy_spool_read(output->kept, piece, size);

        if (got <= 0)
            apr_bucket_free(piece);
        if (got < 0)
            return lazy_error_set(error, LAZY_SPOOL, errno, "what was kept of the reply can't be read");
        if (got == 0) {
            lazy_spool_end(output->kept);
            output->kept = NULL;
            break;
        }
        append(output, apr_bucket_heap_create(piece, (apr_size_t)got, apr_bucket_free, alloc));
        if (pass_and_flush(output, error) < 0)
            return -1;
    }
    return 0;
}

/* Some more of the reply, in a piece of its own, which it takes. */
static int take_piece(struct output *output, char *piece, size_t length, struct lazy_error *error)
{
    apr_bucket_alloc_t *alloc = output->visit->request->connection->bucket_alloc;
    int result = pass_kept(output, error);

    if (result == 0 && output->kept == NULL && may_go_on(output)) {
        append(output, apr_bucket_heap_create(piece, length, apr_bucket_free, alloc));
        return lazy_exchange_body_done(&output->visit->exchange) ? pass(output, error)
                                                                 : pass_and_flush(output, error);
    }
    if (result == 0)
        result = keep(output, piece, length, error);
    apr_bucket_free(piece);
    return result;
}

/* More than was promised would be taken for the next reply. */
static size_t cut(struct output *output, size_t length)
{
    if (output->left < 0)
        return length;
    if ((long long)length > output->left)
        length = (size_t)output->left;
    output->left -= (long long)length;
    return length;
}

static int pass_rest(struct output *output, struct lazy_error *error)
{
    struct lazy_visit *visit = output->visit;
    struct lazy_exchange *exchange = &visit->exchange;
    apr_bucket_alloc_t *alloc = visit->request->connection->bucket_alloc;

    while (output->left != 0) {
        size_t size = lazy_exchange_body_done(exchange) ? PIECE_SIZE : EARLY_PIECE;
        char *piece = apr_bucket_alloc(size, alloc);
        ssize_t got = lazy_exchange_read(exchange, piece, size, error);

        if (got > 0) {
            if (take_piece(output, piece, cut(output, (size_t)got), error) < 0)
                return -1;
            continue;
        }
        apr_bucket_free(piece);
        if (got == 0)
            break;
        if (got == -1 || pass_kept(output, error) < 0 || pass_and_flush(output, error) < 0 ||
            lazy_exchange_wait(exchange, error) < 0)
            return -1;
    }
    if (output->left > 0 || (exchange->reset && exchange->body->length == 0))
        return lazy_error_set(error, LAZY_CLOSED, 0,
                              "the server at %s closed the connection in the middle of its reply",
                              exchange->app->socket);
    return 0;
}

/* A visitor whose body isn't all read gets this reply, but can't be understood after it. */
static void close_unless_read(struct lazy_visit *visit)
{
    const struct lazy_input *input = &visit->input;

    if (!input->is_over && (visit->exchange.body_left > 0 || !lazy_exchange_body_done(&visit->exchange)))
        visit->request->connection->keepalive = AP_CONN_CLOSE;
}

/* httpd would write a small reply only after it has looked for the visitor's next request, and not found
 * it: now it may well be there. What may be too much for the connection is left to httpd, which need not
 * keep a thread for it. */
static void flush_small(const struct output *output)
{
    conn_rec *connection = output->visit->request->connection;

    if (output->handed_on > EARLY_MOST || connection->master != NULL)
        return;
    APR_BRIGADE_INSERT_TAIL(output->brigade, apr_bucket_flush_create(connection->bucket_alloc));
    ap_pass_brigade(connection->output_filters, output->brigade);
    apr_brigade_cleanup(output->brigade);
}

/* The end, which a reply that has failed must not look like: httpd then closes the connection, or resets
 * the stream, without the last chunk. */
static void end_output(struct output *output, bool is_complete, struct lazy_error *error)
{
    request_rec *request = output->visit->request;
    apr_bucket_alloc_t *alloc = request->connection->bucket_alloc;

    if (!is_complete) {
        request->connection->keepalive = AP_CONN_CLOSE;
        APR_BRIGADE_INSERT_TAIL(output->brigade, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL,
                                                                        request->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(output->brigade, apr_bucket_eos_create(alloc));
    if (pass(output, error) == 0)
        flush_small(output);
}

static int pass_body(struct lazy_visit *visit, const char *bytes, size_t length)
{
    request_rec *request = visit->request;
    apr_bucket_alloc_t *alloc = request->connection->bucket_alloc;
    struct output output = {.visit = visit, .left = promised(request), .is_held = true};
    struct lazy_error error = {.failure = LAZY_OK};
    int result = 0;

    output.brigade = apr_brigade_create(request->pool, alloc);
    close_unless_read(visit);
    if (has_body(request)) {
        length = cut(&output, length);
        if (length > 0)
            append(&output, apr_bucket_pool_create(bytes, length, request->pool, alloc));
        result = pass_rest(&output, &error);
        if (result == 0 && output.kept != NULL)
            result = pass_kept(&output, &error);
    }
    if (result < 0)
        lazy_failure_log(request, visit->file, &error);
    if (result == 0 || error.failure != LAZY_VISITOR_GONE)
        end_output(&output, result == 0, &error);
    return OK;
}

static int pass_file(struct lazy_visit *visit, const char *path)
{
    request_rec *request = visit->request;
    apr_bucket_alloc_t *alloc = request->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(request->pool, alloc);
    int status;

    lazy_exchange_end(&visit->exchange);
    apr_table_unset(request->err_headers_out, "X-Sendfile");
    status = lazy_sendfile_add(request, visit->section->sendfile, path, brigade);
    if (status != OK)
        return status;
    close_unless_read(visit);
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    ap_pass_brigade(request->output_filters, brigade);
    return OK;
}

/* RFC 3875, 6.2.2: another page of this site in place of the reply. */
static int redirect(request_rec *request, const char *location)
{
    request->method = "GET";
    request->method_number = M_GET;
    apr_table_unset(request->headers_in, "Content-Length");
    apr_table_unset(request->headers_in, "Transfer-Encoding");
    ap_internal_redirect_handler(location, request);
    return OK;
}

int lazy_reply_pass(struct lazy_visit *visit, int *result, struct lazy_error *error)
{
    request_rec *request = visit->request;
    char *buffer = apr_palloc(request->pool, LAZY_REPLY_HEAD_MAX);
    ssize_t got = lazy_exchange_read(&visit->exchange, buffer, LAZY_REPLY_HEAD_MAX, error);
    struct lines lines = {buffer, buffer + got};
    const char *location, *file;

    lazy_visit_wait_over(visit); /* the request may have had to be sent again */
    if (got < 0)
        return -1;
    *result = scan_head(request, &lines);
    if (*result == HTTP_INTERNAL_SERVER_ERROR)
        return lazy_error_set(error, LAZY_NOT_CGI, 0, "the reply of the server at %s has a head that "
                                                      "httpd does not take",
                              visit->exchange.app->socket);
    if (*result == HTTP_NOT_MODIFIED) { /* by If-Modified-Since or If-None-Match */
        request->status = *result;
        *result = pass_body(visit, NULL, 0);
    }
    if (*result != OK || request->status == HTTP_NOT_MODIFIED)
        return 0;
    location = apr_table_get(request->headers_out, "Location");
    file = apr_table_get(request->err_headers_out, "X-Sendfile"); /* where httpd puts what it doesn't know */
    if (location != NULL && request->status == HTTP_OK)
        *result = *location == '/' ? redirect(request, location) : HTTP_MOVED_TEMPORARILY;
    else if (file != NULL && visit->section->sendfile != NULL && visit->section->sendfile->nelts > 0)
        *result = pass_file(visit, file);
    else
        *result = pass_body(visit, lines.next, (size_t)(lines.end - lines.next));
    return 0;
}

#include <httpd.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "failure.h"
#include "output.h"

#include <errno.h>

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
    if (output->left > 0 || (exchange->upload.reset && exchange->upload.body->length == 0))
        return lazy_error_set(error, LAZY_CLOSED, 0,
                              "the server at %s closed the connection in the middle of its reply",
                              exchange->app->socket);
    return 0;
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

void lazy_output_pass(struct lazy_visit *visit, const char *bytes, size_t length, long long whole)
{
    request_rec *request = visit->request;
    apr_bucket_alloc_t *alloc = request->connection->bucket_alloc;
    struct output output = {.visit = visit, .left = whole, .is_held = true};
    struct lazy_error error = {.failure = LAZY_OK};
    int result;

    output.brigade = apr_brigade_create(request->pool, alloc);
    length = cut(&output, length);
    if (length > 0)
        append(&output, apr_bucket_pool_create(bytes, length, request->pool, alloc));
    result = pass_rest(&output, &error);
    if (result == 0)
        result = pass_kept(&output, &error);
    if (result < 0)
        lazy_failure_log(request, visit->file, &error);
    if (result == 0 || error.failure != LAZY_VISITOR_GONE)
        end_output(&output, result == 0, &error);
}

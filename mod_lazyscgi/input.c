#include <httpd.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <apr_file_io.h>

#include "input.h"

#include <errno.h>

#define PIECES_SIZE 65536 /* bytes read at a time, or kept to be sent once more */

/* As read(2): blocks if `mode` says so, else fails with EAGAIN when nothing is there. */
static ssize_t read_input(struct lazy_input *input, apr_read_type_e mode, char *buffer, size_t size)
{
    apr_size_t length = size;
    apr_status_t status = ap_get_brigade(input->request->input_filters, input->brigade,
                                         AP_MODE_READBYTES, mode, (apr_off_t)size);
    bool ends = !APR_BRIGADE_EMPTY(input->brigade) &&
                APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(input->brigade));

    if (status == APR_SUCCESS)
        status = apr_brigade_flatten(input->brigade, buffer, &length);
    apr_brigade_cleanup(input->brigade);
    if (status == APR_SUCCESS && length > 0)
        return (ssize_t)length;
    if (status == APR_SUCCESS && ends) {
        input->is_over = true;
        return 0;
    }
    if (status == APR_SUCCESS || APR_STATUS_IS_EAGAIN(status)) {
        errno = EAGAIN;
        return -1;
    }
    input->status = ap_map_http_request_error(status, HTTP_BAD_REQUEST);
    errno = APR_STATUS_IS_EINTR(status) ? EINTR : EIO;
    return -1;
}

/* httpd says "100 Continue" by itself only when it is to block. */
static void ask_for_body(request_rec *request)
{
    int status = request->status;

    if (!request->expecting_100)
        return;
    request->status = HTTP_CONTINUE;
    ap_send_interim_response(request, 0);
    request->status = status;
}

static ssize_t read_now(void *context, char *buffer, size_t size)
{
    struct lazy_input *input = context;

    ask_for_body(input->request);
    return read_input(context, APR_NONBLOCK_READ, buffer, size);
}

static ssize_t read_spool(void *context, char *buffer, size_t size)
{
    return lazy_spool_read(context, buffer, size);
}

static void rewind_spool(void *context)
{
    lazy_spool_rewind(context);
}

static int too_large(apr_off_t limit, struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_BODY_LARGE, 0, "the body is larger than LimitRequestBody, %lld",
                          (long long)limit);
}

/* A page that is included, or stands for an error, comes after the request that the body was for. */
static bool had_body_before(const request_rec *request)
{
    const request_rec *at;

    for (at = request->prev; at != NULL; at = at->prev)
        if (ap_is_HTTP_ERROR(at->status))
            return true;
    return request->main != NULL;
}

/* HTTP/2 bodies need not have a length, nor say that they don't. */
static bool may_have_body(const request_rec *request)
{
    return request->read_chunked ||
           (request->connection->master != NULL && request->method_number != M_GET &&
            request->method_number != M_OPTIONS && request->method_number != M_DELETE);
}

int lazy_input_begin(struct lazy_input *input, request_rec *request, int visitor,
                     struct lazy_error *error)
{
    apr_off_t limit = ap_get_limit_req_body(request);
    int status;

    *input = (struct lazy_input){.request = request, .body = {.fd = visitor}};
    input->is_over = true;
    if (had_body_before(request))
        return 0;
    status = ap_setup_client_block(request, REQUEST_CHUNKED_DECHUNK);
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE)
        return too_large(limit, error);
    if (status != OK) {
        input->status = status;
        return lazy_error_set(error, LAZY_REQUEST, 0, "the request's body makes no sense");
    }
    if (limit > 0 && request->remaining > limit)
        return too_large(limit, error);
    if (request->remaining == 0 && !may_have_body(request))
        return 0;
    input->is_over = false;
    input->brigade = apr_brigade_create(request->pool, request->connection->bucket_alloc);
    /* a filter such as inflate makes the body longer than its header says */
    input->is_unknown = request->remaining == 0 ||
                        request->input_filters != request->proto_input_filters;
    input->body.length = request->remaining;
    input->body.is_eager = true;
    input->body.read = read_now;
    input->body.context = input;
    input->body.size = !input->is_unknown && request->remaining < PIECES_SIZE
                           ? (size_t)request->remaining
                           : PIECES_SIZE;
    input->body.buffer = apr_palloc(request->pool, input->body.size);
    return 0;
}

static apr_status_t end_spool(void *spool)
{
    lazy_spool_end(spool);
    return APR_SUCCESS;
}

struct lazy_spool *lazy_input_make_spool(apr_pool_t *pool, long long limit)
{
    struct lazy_spool *spool = apr_palloc(pool, sizeof *spool);
    const char *folder;

    if (apr_temp_dir_get(&folder, pool) != APR_SUCCESS)
        folder = "/tmp";
    lazy_spool_begin(spool, folder, limit);
    apr_pool_cleanup_register(pool, spool, end_spool, apr_pool_cleanup_null);
    return spool;
}

static int gone(struct lazy_input *input, struct lazy_error *error)
{
    if (input->status == HTTP_REQUEST_ENTITY_TOO_LARGE)
        return too_large(ap_get_limit_req_body(input->request), error);
    return lazy_error_set(error, LAZY_VISITOR_GONE, 0, "the visitor has gone");
}

int lazy_input_spool(struct lazy_input *input, const struct lazy_app *app, struct lazy_error *error)
{
    struct lazy_spool *spool = lazy_input_make_spool(input->request->pool, app->settings.max_body);
    ssize_t got;

    while ((got = read_input(input, APR_BLOCK_READ, input->body.buffer, input->body.size)) != 0) {
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return gone(input, error);
        if (got > 0 && lazy_spool_write(spool, input->body.buffer, (size_t)got, error) < 0)
            return -1;
    }
    input->body.length = spool->length;
    input->body.fd = -1;
    input->body.is_eager = false;
    input->body.read = read_spool;
    input->body.rewind = rewind_spool;
    input->body.context = spool;
    return 0;
}

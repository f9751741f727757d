#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <util_script.h>

#include <apr_strings.h>

#include "output.h"
#include "reply.h"
#include "sendfile.h"

#include "core/value.h"

APLOG_USE_MODULE(lazyscgi);

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

/* A visitor whose body isn't all read gets this reply, but can't be understood after it. */
static void close_unless_read(struct lazy_visit *visit)
{
    const struct lazy_input *input = &visit->input;

    if (!input->is_over && (visit->exchange.upload.body_left > 0 || !lazy_exchange_body_done(&visit->exchange)))
        visit->request->connection->keepalive = AP_CONN_CLOSE;
}

static int pass_body(struct lazy_visit *visit, const char *bytes, size_t length)
{
    long long whole = promised(visit->request);

    close_unless_read(visit);
    if (has_body(visit->request))
        lazy_output_pass(visit, bytes, length, whole);
    else
        lazy_output_pass(visit, NULL, 0, 0);
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

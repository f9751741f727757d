#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mod_core.h>

#include <apr_strings.h>

#include "directives.h"
#include "failure.h"

#include "core/page.h"

APLOG_USE_MODULE(lazyscgi);

static int level_of(enum lazy_failure failure)
{
    switch (failure) {
    case LAZY_VISITOR_GONE:
        return APLOG_DEBUG;
    case LAZY_PATIENCE:
    case LAZY_BUSY:
        return APLOG_WARNING;
    default:
        return APLOG_ERR;
    }
}

void lazy_failure_log(request_rec *request, const char *file, const struct lazy_error *error)
{
    /* the sentence says what the system said */
    ap_log_rerror(APLOG_MARK, level_of(error->failure), 0, request, "lazyscgi: %s: %s", file,
                  error->sentence);
}

static int send_page(request_rec *request, const struct lazy_error *error, int status)
{
    bool is_html = lazy_page_is_html(apr_table_get(request->headers_in, "Accept"));
    char page[LAZY_PAGE_SIZE];
    struct lazy_text text;

    lazy_text_begin(&text, page, sizeof page);
    lazy_page_add(&text, error, is_html, request->method);
    request->status = status;
    ap_set_content_type(request, is_html ? "text/html" : "text/plain");
    ap_set_content_length(request, (apr_off_t)text.length);
    ap_rwrite(page, (int)text.length, request);
    return OK;
}

int lazy_failure_answer(request_rec *request, const struct lazy_error *error)
{
    int status = lazy_failure_entry(error->failure)->status;

    if (error->failure == LAZY_VISITOR_GONE) {
        request->status = status; /* for the access log: nobody is left to read it */
        request->connection->aborted = 1;
        return DONE;
    }
    /* nothing of a head that was only half good */
    apr_table_clear(request->headers_out);
    apr_table_clear(request->err_headers_out);
    request->status = HTTP_OK;
    request->status_line = NULL;
    apr_table_setn(request->err_headers_out, "Cache-Control", "no-store");
    if (error->retry_after > 0)
        apr_table_setn(request->err_headers_out, "Retry-After",
                       apr_itoa(request->pool, error->retry_after));
    /* a document of the site's own, or a page that includes this one, which shows its own error */
    if (request->main != NULL ||
        ap_response_code_string(request, ap_index_of_response(status)) != NULL)
        return status;
    return send_page(request, error, status);
}

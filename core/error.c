#include "error.h"

#include "text.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

static const struct lazy_failure_entry failures[LAZY_FAILURES] = {
    [LAZY_OK] = {"ok", 200, "OK", ""},
    [LAZY_APP] = {"app", 500, "Internal Server Error",
                  "This application is not set up correctly."},
    [LAZY_FOLDER] = {"folder", 500, "Internal Server Error",
                     "This application can not be started."},
    [LAZY_START] = {"start", 503, "Service Unavailable",
                    "This application could not be started. Please try again later."},
    [LAZY_PATIENCE] = {"patience", 503, "Service Unavailable",
                       "This application is starting. Please try again in a moment."},
    [LAZY_BUSY] = {"busy", 503, "Service Unavailable",
                   "This application is very busy. Please try again in a moment."},
    [LAZY_UNREACHABLE] = {"unreachable", 502, "Bad Gateway",
                          "This application can not be reached."},
    [LAZY_CLOSED] = {"closed", 502, "Bad Gateway", "This application ended without an answer."},
    [LAZY_SILENT] = {"silent", 504, "Gateway Timeout",
                     "This application took too long to answer."},
    [LAZY_BODY_LARGE] = {"body-large", 413, "Content Too Large",
                         "What was sent is too large for this application."},
    [LAZY_NOT_CGI] = {"not-cgi", 502, "Bad Gateway",
                      "This application gave an answer that makes no sense."},
    [LAZY_SPOOL] = {"spool", 500, "Internal Server Error",
                    "There is no room here to keep what was sent."},
    [LAZY_REQUEST] = {"request", 400, "Bad Request", "This request can not be understood."},
    [LAZY_VISITOR_GONE] = {"visitor-gone", 499, "Client Closed Request", ""},
};

const struct lazy_failure_entry *lazy_failure_entry(enum lazy_failure failure)
{
    return &failures[failure];
}

int lazy_error_set(struct lazy_error *error, enum lazy_failure failure, int errnum, ...)
{
    struct lazy_text text;
    const char *part;
    va_list parts;

    error->failure = failure;
    error->errnum = errnum;
    error->retry_after = 0;
    lazy_text_begin(&text, error->sentence, sizeof error->sentence);
    va_start(parts, errnum);
    while ((part = va_arg(parts, const char *)) != NULL)
        lazy_text_add(&text, part);
    va_end(parts);
    if (errnum != 0) {
        lazy_text_add(&text, ": ");
        lazy_text_add(&text, strerror(errnum));
    }
    return -1;
}

#include "error.h"

#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

static const struct lazy_failure_entry failures[LAZY_FAILURES] = {
    [LAZY_OK] = {200, "OK", ""},
    [LAZY_APP] = {500, "Internal Server Error",
                  "This application is not set up correctly."},
    [LAZY_FOLDER] = {500, "Internal Server Error",
                     "This application can not be started."},
    [LAZY_START] = {503, "Service Unavailable",
                    "This application could not be started. Please try again later."},
    [LAZY_PATIENCE] = {503, "Service Unavailable",
                       "This application is starting. Please try again in a moment."},
    [LAZY_BUSY] = {503, "Service Unavailable",
                   "This application is very busy. Please try again in a moment."},
    [LAZY_UNREACHABLE] = {502, "Bad Gateway",
                          "This application can not be reached."},
    [LAZY_CLOSED] = {502, "Bad Gateway", "This application ended without an answer."},
    [LAZY_SILENT] = {504, "Gateway Timeout",
                     "This application took too long to answer."},
    [LAZY_BODY_LARGE] = {413, "Content Too Large",
                         "What was sent is too large for this application."},
    [LAZY_NOT_CGI] = {502, "Bad Gateway",
                      "This application gave an answer that makes no sense."},
    [LAZY_SPOOL] = {500, "Internal Server Error",
                    "There is no room here to keep what was sent."},
    [LAZY_REQUEST] = {400, "Bad Request", "This request can not be understood."},
    [LAZY_VISITOR_GONE] = {499, "Client Closed Request", ""},
};

const struct lazy_failure_entry *lazy_failure_entry(enum lazy_failure failure)
{
    return &failures[failure];
}

/* strerror(3) takes locks in some libraries, which a process forked from a thread must not touch; and
 * in a small static program its table is larger than all of ours. */
static const struct {
    short errnum;
    char meaning[26];
} causes[] = {
    {EACCES, "Permission denied"},
    {EAGAIN, "Resource unavailable"},
    {EDQUOT, "Disk quota exceeded"},
    {EIO, "Input/output error"},
    {EISDIR, "A folder is there"},
    {ELOOP, "A link is there"},
    {EMFILE, "Too many open files"},
    {ENAMETOOLONG, "File name too long"},
    {ENETUNREACH, "Network is unreachable"},
    {ENFILE, "Too many files in system"},
    {ENOENT, "No such file or folder"},
    {ENOMEM, "Out of memory"},
    {ENOSPC, "No space left on device"},
    {ENOTDIR, "Not a folder"},
    {EPERM, "Operation not permitted"},
    {EROFS, "Read-only file system"},
};

static void add_cause(struct lazy_text *text, int errnum)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i].errnum == errnum)
            lazy_text_format(text, ": %s", causes[i].meaning);
    lazy_text_format(text, " (errno %d)", errnum);
}

int lazy_error_set(struct lazy_error *error, enum lazy_failure failure, int errnum,
                   const char *format, ...)
{
    struct lazy_text text;
    va_list arguments;

    error->failure = failure;
    error->errnum = errnum;
    error->retry_after = 0;
    lazy_text_begin(&text, error->sentence, sizeof error->sentence);
    va_start(arguments, format);
    lazy_text_vformat(&text, format, arguments);
    va_end(arguments);
    if (errnum != 0)
        add_cause(&text, errnum);
    return -1;
}

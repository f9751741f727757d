/* What failed, as data. The core never prints: it fills this in and returns; the fronts decide what
 * a visitor sees (the status and page of the failure) and what the log says (the sentence). */
#ifndef LAZY_ERROR_H
#define LAZY_ERROR_H

enum lazy_failure {
    LAZY_OK = 0,
    LAZY_APP,            /* app file missing, unreadable, malformed or unsafe */
    LAZY_FOLDER,         /* state folder, lock or state can't be made */
    LAZY_START,          /* the start failed, now or lately */
    LAZY_PATIENCE,       /* the start is still under way */
    LAZY_BUSY,           /* the server's queue stays full */
    LAZY_UNREACHABLE,    /* the server can't be reached, and a start would not help */
    LAZY_CLOSED,         /* the server closed before answering */
    LAZY_SILENT,         /* nothing from the server for response-timeout */
    LAZY_BODY_LARGE,     /* spooled body over max-body */
    LAZY_NOT_CGI,        /* the reply isn't a CGI response */
    LAZY_SPOOL,          /* no room or no file to spool in */
    LAZY_REQUEST,        /* the request itself can't be forwarded */
    LAZY_VISITOR_GONE,   /* nobody is left to answer */
    LAZY_FAILURES
};

#define LAZY_SENTENCE_SIZE 768

struct lazy_error {
    enum lazy_failure failure;
    int errnum;      /* the errno behind it, or 0 */
    int retry_after; /* seconds for Retry-After, or 0 for none */
    char sentence[LAZY_SENTENCE_SIZE]; /* for the owner: what happened and what to do */
};

/* What a visitor gets for a failure. */
struct lazy_failure_entry {
    int status;         /* HTTP status */
    const char *reason; /* HTTP reason phrase */
    const char *page;   /* one sentence for the visitor: no paths, no commands */
};

/* The table's row of a failure. */
const struct lazy_failure_entry *lazy_failure_entry(enum lazy_failure failure);

/* Fills `error`: the sentence is a text (lazy_text_format), followed by what errnum means unless that
 * is 0. Returns -1, so that a caller can return what it returns. */
int lazy_error_set(struct lazy_error *error, enum lazy_failure failure, int errnum,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

/* The request's body: httpd's input filters. */
#ifndef LAZY_INPUT_H
#define LAZY_INPUT_H

#include <httpd.h>

#include "core/exchange.h"
#include "core/spool.h"

struct lazy_input {
    struct lazy_body body; /* for the exchange */
    request_rec *request;
    apr_bucket_brigade *brigade;
    bool is_unknown; /* its length is: lazy_input_spool() has to come before the exchange */
    bool is_over;    /* all of it was read */
    int status;      /* the HTTP status when reading has failed; 0: it has not */
};

/* Looks at what the request has, and reads nothing. `visitor` is the connection's descriptor, or -1.
 * -1: LAZY_BODY_LARGE over httpd's own limit, LAZY_REQUEST for a body that makes no sense. */
int lazy_input_begin(struct lazy_input *input, request_rec *request, int visitor,
                     struct lazy_error *error);

/* A spool, in the folder for temporary files, that lives as long as the pool. */
struct lazy_spool *lazy_input_make_spool(apr_pool_t *pool, long long limit);

/* Reads a body of unknown length to its end. -1: LAZY_BODY_LARGE over the app's max-body or httpd's
 * limit, LAZY_SPOOL, LAZY_VISITOR_GONE. */
int lazy_input_spool(struct lazy_input *input, const struct lazy_app *app, struct lazy_error *error);

#endif

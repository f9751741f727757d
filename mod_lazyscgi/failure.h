/* What a visitor and the error log get when a request has failed. */
#ifndef LAZY_FAILURE_H
#define LAZY_FAILURE_H

#include <httpd.h>

#include "core/error.h"

/* Logs the failure of a request for the app of `file`. */
void lazy_failure_log(request_rec *request, const char *file, const struct lazy_error *error);

/* Answers it: by an ErrorDocument if there is one, else by a plain page. Returns what a handler does. */
int lazy_failure_answer(request_rec *request, const struct lazy_error *error);

#endif

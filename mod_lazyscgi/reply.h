/* The server's reply, into httpd's output filters. */
#ifndef LAZY_HTTPD_REPLY_H
#define LAZY_HTTPD_REPLY_H

#include "visit.h"

/* Reads the reply and hands it on; sets *result to what the handler returns. -1: it has failed before
 * anything was handed on, with an error as of lazy_exchange_read(). A reply that fails later is cut
 * short so that the visitor notices, and logged. */
int lazy_reply_pass(struct lazy_visit *visit, int *result, struct lazy_error *error);

#endif

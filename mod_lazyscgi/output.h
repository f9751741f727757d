/* The body of the server's reply, into httpd's output filters. */
#ifndef LAZY_HTTPD_OUTPUT_H
#define LAZY_HTTPD_OUTPUT_H

#include "visit.h"

/* Hands on `length` bytes, which live as long as the request, and then what the visit's exchange has to
 * give, flushed as it comes; `whole` bytes in all, -1: nobody has said how many. What ends earlier is cut
 * short so that the visitor notices, and logged. */
void lazy_output_pass(struct lazy_visit *visit, const char *bytes, size_t length, long long whole);

#endif

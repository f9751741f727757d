/* A request's SCGI head, in memory. */
#ifndef LAZY_REQUEST_H
#define LAZY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* "<length>:CONTENT_LENGTH\0<n>\0SCGI\0" "1\0NAME\0value\0...,": the netstring of the SCGI document.
 * Built like snprintf does: what does not fit is only counted. */
struct lazy_request {
    const char *head; /* once ended: points into storage */
    size_t head_length;
    bool is_safe;      /* the method may be sent twice: RFC 9110, 9.2.1 and 9.2.2 */
    char *storage;     /* the caller's */
    size_t size;       /* of storage */
    size_t needed;     /* bytes of storage that would have done, or do */
};

/* Begins a head in the caller's storage, which must outlive the request. */
void lazy_request_begin(struct lazy_request *request, char *storage, size_t size,
                        long long content_length);

/* Adds a variable, unless its name is empty or one of those that are left out (request.c). */
void lazy_request_add(struct lazy_request *request, const char *name, size_t name_length,
                      const char *value);

/* Ends the head. -1: it did not fit; begin again with at least `needed` bytes. */
int lazy_request_end(struct lazy_request *request);

#endif

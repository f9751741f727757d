/* What the visitor and the owner get when a request has failed. */
#ifndef LAZY_CGI_OUTPUT_H
#define LAZY_CGI_OUTPUT_H

#include "core/error.h"

#include <stddef.h>

/* The CGI response for a failure: status, headers, and a plain page (HTML for browsers). */
void lazy_output_page(const struct lazy_error *error);

/* One line on stderr, which web servers put into their error log. */
void lazy_output_log(const char *file, const char *sentence);

/* Writes all of it to a descriptor. -1 and errno. */
int lazy_output_send(int fd, const char *bytes, size_t length);

/* Moves what there is to be read from a socket into stdout without copying it, if that is a pipe; sleeps
 * while the pipe is full. How it went is seen by whoever reads or writes next. */
void lazy_output_splice(int from);

#endif

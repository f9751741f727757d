/* The request's body: stdin. */
#ifndef LAZY_CGI_BODY_H
#define LAZY_CGI_BODY_H

#include "core/exchange.h"

/* Makes a body of stdin. SCGI needs a length, so a body that comes without CONTENT_LENGTH (chunked)
 * is read to its end first. -1: LAZY_REQUEST for a malformed length, LAZY_BODY_LARGE over the app's
 * max-body, LAZY_SPOOL. */
int lazy_body_begin(struct lazy_body *body, const struct lazy_app *app, struct lazy_error *error);

/* Lets the web server know that nobody reads the rest. httpd's CGI modules read no reply before that,
 * or before they have sent the whole body. */
void lazy_body_abandon(void);

#endif

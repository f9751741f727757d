/* The request's body: stdin. */
#ifndef LAZY_CGI_BODY_H
#define LAZY_CGI_BODY_H

#include "core/exchange.h"

/* Makes a body of stdin. SCGI needs a length, so a body that comes without CONTENT_LENGTH (chunked)
 * is read to its end first. -1: LAZY_REQUEST for a malformed length, LAZY_BODY_LARGE over the app's
 * max-body, LAZY_SPOOL. */
int lazy_body_begin(struct lazy_body *body, const struct lazy_app *app, struct lazy_error *error);

/* Reads what is left of stdin, for nobody. Before a reply that does not wait for it: httpd's CGI
 * modules read nothing before they have sent the whole body, and call it an error if they can't; and
 * mod_cgid's one socket for both ways would be reset, our reply in it, if we left something unread. */
void lazy_body_drain(void);

#endif

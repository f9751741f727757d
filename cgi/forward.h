/* One CGI request, forwarded. */
#ifndef LAZY_CGI_FORWARD_H
#define LAZY_CGI_FORWARD_H

/* Answers the CGI request that environment and stdin hold. `argument` is argv[1] or NULL: the app file
 * when a `#!` line has run us, but it may as well come from a visitor. */
void lazy_forward(const char *argument);

#endif

/* An httpd request as the head of an SCGI request. */
#ifndef LAZY_HEAD_H
#define LAZY_HEAD_H

#include <httpd.h>

#include "mount.h"

#include "core/request.h"

/* Encodes the variables that mod_cgi would give, those of SetEnv included. `file` is the app file,
 * `mount` NULL when it was asked for itself. The head lives as long as the request. */
void lazy_head_encode(request_rec *request, const struct lazy_mount *mount, const char *file,
                      long long content_length, struct lazy_request *encoded);

#endif

/* The process's environment, which is the CGI request (RFC 3875, 4.1). */
#ifndef LAZY_CGI_ENVIRONMENT_H
#define LAZY_CGI_ENVIRONMENT_H

#include "core/error.h"
#include "core/request.h"

/* Encodes it as the head of an SCGI request, which lives until the process ends. -1: LAZY_REQUEST when
 * there is no memory for one so large. */
int lazy_environment_encode(struct lazy_request *request, long long content_length,
                            struct lazy_error *error);

/* The folder for temporary files: $TMPDIR, or /tmp. */
const char *lazy_environment_tmpdir(void);

#endif

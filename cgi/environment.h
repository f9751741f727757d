/* The process's environment, which is the CGI request (RFC 3875, 4.1). */
#ifndef LAZY_CGI_ENVIRONMENT_H
#define LAZY_CGI_ENVIRONMENT_H

#include "core/request.h"

/* Encodes it as the head of an SCGI request, in the caller's storage. -1 when that is too small:
 * request->needed says how much it takes. */
int lazy_environment_encode(struct lazy_request *request, char *storage, size_t size,
                            long long content_length);

/* The folder for temporary files: $TMPDIR, or /tmp. */
const char *lazy_environment_tmpdir(void);

#endif

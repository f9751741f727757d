/* X-Sendfile: the application names a file, httpd sends it. */
#ifndef LAZY_SENDFILE_H
#define LAZY_SENDFILE_H

#include <httpd.h>

/* Appends the file to the brigade, and sets the headers that go with it. An HTTP status: 404 when there
 * is no such file, 403 when it is in none of the folders; both are logged. */
int lazy_sendfile_add(request_rec *request, const apr_array_header_t *folders, const char *path,
                      apr_bucket_brigade *brigade);

#endif

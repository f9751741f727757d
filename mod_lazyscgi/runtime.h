/* The folder for the state of apps that have none of their own: lazyscgi/ in DefaultRuntimeDir. */
#ifndef LAZY_RUNTIME_H
#define LAZY_RUNTIME_H

#include <httpd.h>

/* Its path; set by lazy_runtime_prepare(). */
extern const char *lazy_runtime_folder;

#define LAZY_RUNTIME_NAME 64 /* bytes of a name, its NUL included */

/* Puts together the name of a file there: begins with what can be used of `readable`, and differs by
 * `whole`. */
void lazy_runtime_name(char *name, const char *readable, const char *whole);

/* Makes it for httpd's user, in httpd's parent. */
void lazy_runtime_prepare(apr_pool_t *pool, server_rec *server);

#endif

/* An app that is configured inline (LazySCGI <key> <value>) gets an app file of its own in the runtime
 * folder: so its server is restarted when, and only when, its settings have changed, it can be
 * restarted by touching that file, and nothing in the core has to know of it. */
#ifndef LAZY_INLINE_H
#define LAZY_INLINE_H

#include "core/error.h"
#include "directives.h"

/* The file of a section's app: one for each place that mounts one. */
const char *lazy_inline_file(apr_pool_t *pool, const struct lazy_section *section);

/* Brings it up to date, unless a newer configuration of httpd has done so. -1 with LAZY_FOLDER. */
int lazy_inline_write(apr_pool_t *pool, const struct lazy_section *section, const char *file,
                      struct lazy_error *error);

/* Remembers, in httpd's parent, how old this configuration is. */
void lazy_inline_begin(void);

#endif

/* What httpd's configuration says: directives, and how sections merge. */
#ifndef LAZY_DIRECTIVES_H
#define LAZY_DIRECTIVES_H

#include <httpd.h>
#include <http_config.h>

#include "core/settings.h"

extern module AP_MODULE_DECLARE_DATA lazyscgi_module;

enum lazy_source {
    LAZY_SOURCE_NONE,  /* no app is mounted here */
    LAZY_SOURCE_OFF,   /* nor shall one of an outer section be */
    LAZY_SOURCE_FILE,  /* LazySCGIApp <file> */
    LAZY_SOURCE_INLINE /* LazySCGI <key> <value> */
};

enum lazy_place_kind {
    LAZY_PLACE_SITE,     /* all of it: a server, an <If>, a section with wildcards */
    LAZY_PLACE_LOCATION, /* below a URL path */
    LAZY_PLACE_DIRECTORY /* below a folder */
};

/* The section that mounts an app. */
struct lazy_place {
    enum lazy_place_kind kind;
    const char *path; /* without a slash at its end */
    const server_rec *server;
};

/* One section's settings, or those of several merged. */
struct lazy_section {
    enum lazy_source source;
    struct lazy_place place;            /* where `source` comes from */
    const char *file;                   /* of LAZY_SOURCE_FILE */
    struct lazy_settings *settings;     /* inline ones, and durations and sizes for any app; or NULL */
    apr_array_header_t *sendfile;       /* folders that X-Sendfile may name; or NULL */
    const char *wrong;                  /* what merging found; or NULL */
};

extern const command_rec lazy_directives[];

void *lazy_section_create(apr_pool_t *pool, char *path);
void *lazy_section_merge(apr_pool_t *pool, void *outer, void *inner);

/* LazySCGIMaxWaiters; -1: not given. */
extern int lazy_max_waiters;

#endif

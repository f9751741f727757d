/* Which requests are for an app that the configuration mounts, and at which URL. */
#ifndef LAZY_MOUNT_H
#define LAZY_MOUNT_H

#include <httpd.h>

#include "directives.h"

struct lazy_mount {
    const struct lazy_section *section;
    const char *script_name; /* RFC 3875, 4.1.13: the URL path that leads to the app */
    const char *path_info;   /* 4.1.5: what follows; both decoded */
};

#define LAZY_HANDLER "lazyscgi"

/* The mount of a request, or NULL: then the requested file is the app file. */
const struct lazy_mount *lazy_mount_of(const request_rec *request);

/* Hooks. A URL below a <Location> is claimed before anything maps it to a file; what has been mapped
 * into a <Directory>, or is found to be under an <If>, afterwards. */
int lazy_mount_translate(request_rec *request);
int lazy_mount_map(request_rec *request);
int lazy_mount_fixup(request_rec *request);

#endif

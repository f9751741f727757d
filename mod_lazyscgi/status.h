/* What mod_status shows of the apps. */
#ifndef LAZY_STATUS_H
#define LAZY_STATUS_H

#include <httpd.h>

/* The hook: a table, or with ?auto lines for machines. */
int lazy_status_show(request_rec *request, int flags);

#endif

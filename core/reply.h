/* The head of a server's reply. */
#ifndef LAZY_REPLY_H
#define LAZY_REPLY_H

#include <stddef.h>

/* The longest head; httpd itself takes lines of 8 KiB. */
#define LAZY_REPLY_HEAD_MAX 65536

enum lazy_reply {
    LAZY_REPLY_MORE, /* the blank line has not come yet */
    LAZY_REPLY_HEAD, /* a CGI head (RFC 3875, 6.2), complete */
    LAZY_REPLY_BAD   /* not the head of a CGI response */
};

/* Looks at the `*length` bytes of a reply's beginning that are in `buffer`, of which `*good` (0 at first)
 * were looked at before and are whole lines. When the head is complete and its first line is an HTTP one
 * ("HTTP/1.1 200 OK"), that becomes "Status: 200 OK", in place: *length gets smaller, or stays. */
enum lazy_reply lazy_reply_head(char *buffer, size_t *length, size_t *good);

#endif

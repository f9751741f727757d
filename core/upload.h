/* A request on its way to the server: the head, and a body of any size, which moves forward as the server
 * takes it. */
#ifndef LAZY_UPLOAD_H
#define LAZY_UPLOAD_H

#include "error.h"
#include "request.h"

#include <stdbool.h>
#include <sys/types.h>

/* Where the request's body comes from. */
struct lazy_body {
    long long length; /* bytes there are; 0: none, and nothing else matters */
    int fd;           /* has POLLIN when more can be read; -1: nothing tells */
    bool is_eager;    /* read() never blocks, so it is tried first; EAGAIN: nothing at present */
    ssize_t (*read)(void *context, char *buffer, size_t size); /* as read(2) */
    void (*rewind)(void *context); /* NULL: what was read can't be read again */
    void *context;
    char *buffer; /* the front's: where what was read waits to be sent */
    size_t size;  /* of the buffer; a body no larger can be sent twice without rewind() */
};

struct lazy_upload {
    const struct lazy_request *request;
    const struct lazy_body *body;
    size_t head_sent;
    long long body_left; /* not read from the body yet */
    size_t filled, sent; /* of the body's buffer */
    bool is_dry;         /* the body had nothing at present */
    bool in_hand;        /* all of the body that was read is still in the buffer */
    bool is_local;       /* the server is at a Unix socket */
    bool holds;          /* the body waits until the head was read */
    bool refused;        /* the server takes no more */
    bool reset;          /* ... and has left something of it unread */
};

/* Says what to send; both must outlive the upload. */
void lazy_upload_begin(struct lazy_upload *upload, const struct lazy_request *request,
                       const struct lazy_body *body, bool is_local);

/* Begins anew, for another server. Needs body->rewind(), or all that was read in hand. */
void lazy_upload_rewind(struct lazy_upload *upload);

/* There is something that could be sent; that could be read from the body. */
bool lazy_upload_has_unsent(const struct lazy_upload *upload);
bool lazy_upload_wants_body(const struct lazy_upload *upload);

/* Nothing more of the body will be read: it has gone, or the server takes no more. */
bool lazy_upload_is_done(const struct lazy_upload *upload);

/* Sends what there is, as far as the server takes it. */
void lazy_upload_push(struct lazy_upload *upload, int fd);

/* The head was read: the body may follow. */
void lazy_upload_release(struct lazy_upload *upload, int fd);

/* No server can have acted on the request, for none has read the whole of its head: it was left in the
 * queue of one that has ended. A Unix socket is reset when not all was read that we sent. On TCP a reset
 * may mean anything, so that is for requests that may be seen twice. */
bool lazy_upload_is_unseen(const struct lazy_upload *upload);

/* The request may be seen twice, and can be sent again. */
bool lazy_upload_is_repeatable(const struct lazy_upload *upload);

/* Reads from the body. 1: something; 0: nothing at present. -1: LAZY_VISITOR_GONE when it ends early,
 * LAZY_SPOOL. */
int lazy_upload_fill(struct lazy_upload *upload, struct lazy_error *error);

#endif

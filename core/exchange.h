/* One request and its reply, both ways at once. */
#ifndef LAZY_EXCHANGE_H
#define LAZY_EXCHANGE_H

#include "app.h"
#include "error.h"
#include "reply.h"
#include "request.h"
#include "server.h"

#include <stdbool.h>
#include <sys/types.h>

/* Where the request's body comes from. */
struct lazy_body {
    long long length; /* bytes there are; 0: none */
    int fd;           /* has POLLIN when read() won't block; -1: it never blocks */
    ssize_t (*read)(void *context, char *buffer, size_t size); /* as read(2) */
    void (*rewind)(void *context); /* NULL: what was read can't be read again */
    void *context;
};

#define LAZY_EXCHANGE_BUFFER 65536

struct lazy_exchange {
    const struct lazy_app *app;
    const struct lazy_front *front;
    const struct lazy_request *request;
    const struct lazy_body *body;
    int fd;
    size_t head_sent;
    long long body_left; /* not read from the body yet */
    size_t filled, sent; /* of the buffer */
    bool in_hand;        /* all of the body that was read is still in the buffer */
    bool refused;        /* the server takes no more of the request */
    bool reset;          /* the reply ended with a reset instead of an end */
    bool answered;       /* the reply's head has been handed out */
    bool received;       /* at least one byte of a reply has come */
    bool waited;         /* the server was not there at once */
    int replays;         /* how often the request was sent again */
    char buffer[LAZY_EXCHANGE_BUFFER];
};

/* Connects to the app's server (lazy_connect) for one request. All arguments must outlive the
 * exchange. -1 as lazy_connect. */
int lazy_exchange_begin(struct lazy_exchange *exchange, const struct lazy_app *app,
                        const struct lazy_front *front, const struct lazy_request *request,
                        const struct lazy_body *body, struct lazy_error *error);

/* The next bytes of the reply, as they come, while the body is moved forward; 0 when it is complete.
 * The first call returns at least the whole head, checked and in CGI form (so `size` must be at least
 * LAZY_REPLY_HEAD_MAX). A request whose server ends before the first byte is sent once more when
 * that is safe. -1: LAZY_CLOSED, LAZY_SILENT, LAZY_NOT_CGI, LAZY_VISITOR_GONE, or as lazy_connect. */
ssize_t lazy_exchange_read(struct lazy_exchange *exchange, char *buffer, size_t size,
                           struct lazy_error *error);

/* Nothing more of the body will be read: it has gone, or the server takes no more. */
bool lazy_exchange_body_done(const struct lazy_exchange *exchange);

/* Closes the connection. */
void lazy_exchange_end(struct lazy_exchange *exchange);

#endif

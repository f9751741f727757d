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
    long long length; /* bytes there are; 0: none, and nothing else matters */
    int fd;           /* has POLLIN when more can be read; -1: nothing tells */
    bool is_eager;    /* read() never blocks, so it is tried first; EAGAIN: nothing at present */
    ssize_t (*read)(void *context, char *buffer, size_t size); /* as read(2) */
    void (*rewind)(void *context); /* NULL: what was read can't be read again */
    void *context;
    char *buffer; /* the front's: where what was read waits to be sent */
    size_t size;  /* of the buffer; a body no larger can be sent twice without rewind() */
};

struct lazy_exchange {
    const struct lazy_app *app;
    const struct lazy_front *front;
    const struct lazy_request *request;
    const struct lazy_body *body;
    int fd;
    size_t head_sent;
    long long body_left; /* not read from the body yet */
    size_t filled, sent; /* of the body's buffer */
    bool is_dry;         /* the body had nothing at present */
    int dry_ms, silence_ms; /* so long nothing came of the body, or from the server */
    int silence;         /* as of lazy_hang_join(); -1: not joined */
    bool in_hand;        /* all of the body that was read is still in the buffer */
    bool refused;        /* the server takes no more of the request */
    bool hung_up;        /* the server has closed: what can be read now is all there is */
    bool drained;        /* ... and was read */
    bool reset;          /* the reply ended with a reset instead of an end */
    bool answered;       /* the reply's head has been handed out */
    bool received;       /* at least one byte of a reply has come */
    bool holds;          /* the body waits until the head was read */
    int unseen, replays; /* how often the request was sent again: that nobody, or somebody, can have seen */
};

/* Connects to the app's server (lazy_connect) for one request. All arguments of this and the next must
 * outlive the exchange. -1 as lazy_connect. */
int lazy_exchange_begin(struct lazy_exchange *exchange, const struct lazy_app *app,
                        const struct lazy_front *front, struct lazy_error *error);

/* Says what to send. The connection may have ended meanwhile: the request is then sent over another. */
void lazy_exchange_send(struct lazy_exchange *exchange, const struct lazy_request *request,
                        const struct lazy_body *body);

#define LAZY_EXCHANGE_LATER (-2)

/* The next bytes of the reply; 0 when it is complete; LAZY_EXCHANGE_LATER when there is nothing at
 * present. The first call sleeps until it can return the whole head, checked and in CGI form (so `size`
 * must be at least LAZY_REPLY_HEAD_MAX), with what came with it. A request whose server ends before the
 * first byte is sent once more when that is safe. -1: LAZY_CLOSED, LAZY_SILENT, LAZY_NOT_CGI,
 * LAZY_VISITOR_GONE, or as lazy_connect. */
ssize_t lazy_exchange_read(struct lazy_exchange *exchange, char *buffer, size_t size,
                           struct lazy_error *error);

/* Sleeps, while the body is moved forward, until there may be something to read, or the last of the
 * body has gone. -1 as lazy_exchange_read. */
int lazy_exchange_wait(struct lazy_exchange *exchange, struct lazy_error *error);

/* Nothing more of the body will be read: it has gone, or the server takes no more. */
bool lazy_exchange_body_done(const struct lazy_exchange *exchange);

/* Closes the connection. */
void lazy_exchange_end(struct lazy_exchange *exchange);

#endif

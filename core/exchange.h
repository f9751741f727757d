/* One request and its reply, both ways at once. */
#ifndef LAZY_EXCHANGE_H
#define LAZY_EXCHANGE_H

#include "app.h"
#include "error.h"
#include "reply.h"
#include "server.h"
#include "upload.h"

#include <stdbool.h>
#include <sys/types.h>

struct lazy_exchange {
    const struct lazy_app *app;
    const struct lazy_front *front;
    struct lazy_upload upload;
    int fd;
    int dry_ms, silence_ms; /* so long nothing came of the body, or from the server */
    int silence;         /* as of lazy_hang_join(); -1: not joined */
    bool hung_up;        /* the server has closed: what can be read now is all there is */
    bool drained;        /* ... and was read */
    bool answered;       /* the reply's head has been handed out */
    bool received;       /* at least one byte of a reply has come */
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

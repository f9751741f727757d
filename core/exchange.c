#include "exchange.h"

#include "deadline.h"
#include "hang.h"
#include "restart.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNSEEN_REPLAYS_MAX 10
#define DRY_STEP_MS 20 /* at most, between two looks at a body that nothing tells of */

static int connect_once(struct lazy_exchange *exchange, struct lazy_error *error)
{
    exchange->fd = lazy_connect(exchange->app, exchange->front, error);
    return exchange->fd < 0 ? -1 : 0;
}

static int connect_again(struct lazy_exchange *exchange, struct lazy_error *error)
{
    lazy_upload_rewind(&exchange->upload);
    exchange->received = exchange->hung_up = exchange->drained = false;
    return connect_once(exchange, error);
}

int lazy_exchange_begin(struct lazy_exchange *exchange, const struct lazy_app *app,
                        const struct lazy_front *front, struct lazy_error *error)
{
    *exchange = (struct lazy_exchange){.app = app, .front = front, .silence = -1};
    return connect_once(exchange, error);
}

void lazy_exchange_send(struct lazy_exchange *exchange, const struct lazy_request *request,
                        const struct lazy_body *body)
{
    lazy_upload_begin(&exchange->upload, request, body,
                      exchange->app->address.to.any.sa_family == AF_UNIX);
}

static int visitor_gone(struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_VISITOR_GONE, 0, "the visitor has gone");
}

static int silent(const struct lazy_exchange *exchange, struct lazy_error *error)
{
    lazy_error_set(error, LAZY_SILENT, 0,
                   "the server at %s was silent for the whole of 'response-timeout'",
                   exchange->app->socket);
    if (!exchange->received)
        lazy_restart_hung(exchange->app, exchange->front, exchange->silence, error);
    return -1;
}

/* Is the server slow to answer, but has not been counted as such yet? */
static bool may_join(const struct lazy_exchange *exchange)
{
    return exchange->silence < 0 && !exchange->received;
}

/* A server that leaves some of the head unread until it wants the body is given that half-way. */
static int longest_nap(const struct lazy_exchange *exchange)
{
    return (int)exchange->app->settings.response_timeout / (exchange->upload.holds ? 2 : 1);
}

/* How long to sleep at most, in ms. */
static int next_nap(const struct lazy_exchange *exchange, bool wants, bool unsent)
{
    /* while it is the visitor's turn the server may be silent */
    int patience = lazy_hang_patience(exchange->app) - exchange->silence_ms;
    int most = wants && !unsent ? -1
               : may_join(exchange) && patience > 0
                   ? patience
                   : longest_nap(exchange) - exchange->silence_ms;
    int nap = lazy_front_nap(exchange->front, most);

    if (wants && exchange->upload.body->fd < 0) {
        int step = lazy_step(exchange->dry_ms, DRY_STEP_MS);
        return nap >= 0 && nap < step ? nap : step;
    }
    return nap;
}

/* Nothing has happened for so long. */
static int count_silence(struct lazy_exchange *exchange, int nap, bool servers_turn,
                         struct lazy_error *error)
{
    exchange->dry_ms += nap;
    exchange->silence_ms += nap;
    if (lazy_front_is_gone(exchange->front))
        return visitor_gone(error);
    if (!servers_turn)
        exchange->silence_ms = 0;
    if (may_join(exchange) && exchange->silence_ms >= lazy_hang_patience(exchange->app))
        exchange->silence = lazy_hang_join(exchange->app);
    return exchange->silence_ms >= exchange->app->settings.response_timeout
               ? silent(exchange, error)
               : 0;
}

/* Sleeps until something can move, and moves the body. 1: the reply can be read. */
static int wait_and_move(struct lazy_exchange *exchange, struct lazy_error *error)
{
    struct lazy_upload *upload = &exchange->upload;
    const struct lazy_body *body = upload->body;
    const struct lazy_front *front = exchange->front;
    bool wants = lazy_upload_wants_body(upload), unsent = lazy_upload_has_unsent(upload);
    bool may_read = wants && !upload->is_dry && (body->is_eager || body->fd < 0);
    struct pollfd fds[3] = {
        {.fd = exchange->fd, .events = (short)(POLLIN | (unsent ? POLLOUT : 0))},
        {.fd = front->visitor, .events = front->visitor_events},
        {.fd = wants && !may_read ? body->fd : -1, .events = POLLIN},
    };
    int nap = may_read ? 0 : next_nap(exchange, wants, unsent);
    int ready = poll(fds, 3, nap);

    if (ready < 0)
        return errno == EINTR ? 0
                              : lazy_error_set(error, LAZY_UNREACHABLE, errno,
                                               "the server at %s can't be waited for", exchange->app->socket);
    if (ready > 0)
        exchange->silence_ms = 0;
    else if (!may_read && count_silence(exchange, nap, !wants || unsent, error) < 0)
        return -1;
    if (fds[1].revents != 0)
        return visitor_gone(error);
    if (may_read || fds[2].revents != 0 || (wants && body->fd < 0)) {
        int filled = lazy_upload_fill(upload, error);

        if (filled < 0)
            return -1;
        if (filled > 0)
            exchange->dry_ms = 0;
    }
    if (upload->holds && (fds[0].revents & POLLOUT || exchange->silence_ms >= longest_nap(exchange)))
        lazy_upload_release(upload, exchange->fd);
    if (lazy_upload_has_unsent(upload) && !upload->holds)
        lazy_upload_push(upload, exchange->fd);
    exchange->hung_up = (fds[0].revents & (POLLHUP | POLLERR)) == POLLHUP;
    return fds[0].revents & (POLLIN | POLLHUP | POLLERR) ? 1 : 0;
}

bool lazy_exchange_body_done(const struct lazy_exchange *exchange)
{
    return lazy_upload_is_done(&exchange->upload);
}

int lazy_exchange_wait(struct lazy_exchange *exchange, struct lazy_error *error)
{
    bool was_done = lazy_exchange_body_done(exchange);
    int ready;

    if (exchange->upload.head_sent == 0 && !exchange->upload.refused)
        lazy_upload_push(&exchange->upload, exchange->fd);
    do
        ready = wait_and_move(exchange, error);
    while (ready == 0 && lazy_exchange_body_done(exchange) == was_done);
    return ready < 0 ? -1 : 0;
}

/* Some bytes of the reply; 0 at its end; LAZY_EXCHANGE_LATER. */
static ssize_t receive(struct lazy_exchange *exchange, char *buffer, size_t size)
{
    ssize_t got = exchange->drained ? 0 : recv(exchange->fd, buffer, size, MSG_DONTWAIT);

    if (got > 0) {
        exchange->received = true;
        exchange->drained = exchange->hung_up && (size_t)got < size;
    }
    exchange->upload.refused |= got == 0; /* who has closed takes no more either */
    if (got >= 0)
        return got;
    if (errno == EAGAIN || errno == EINTR || errno == ENOMEM)
        return LAZY_EXCHANGE_LATER;
    /* a server that closes with some of the body unread resets the connection: the reply's end as far
     * as anybody can tell */
    exchange->upload.reset = exchange->upload.refused = true;
    return 0;
}

static bool may_replay(const struct lazy_exchange *exchange)
{
    if (lazy_upload_is_unseen(&exchange->upload))
        return exchange->unseen < UNSEEN_REPLAYS_MAX;
    return exchange->replays == 0 && lazy_upload_is_repeatable(&exchange->upload);
}

/* The server has ended before the first byte of its answer. */
static int replay(struct lazy_exchange *exchange, struct lazy_error *error)
{
    if (!may_replay(exchange)) {
        lazy_error_set(error, LAZY_CLOSED, 0,
                       "the server at %s closed the connection before answering; its output is in %s",
                       exchange->app->socket, exchange->app->log);
        lazy_restart_hung(exchange->app, exchange->front, -1, error);
        return -1;
    }
    (*(lazy_upload_is_unseen(&exchange->upload) ? &exchange->unseen : &exchange->replays))++;
    lazy_exchange_end(exchange);
    return connect_again(exchange, error);
}

static int not_cgi(const struct lazy_exchange *exchange, const char *why, struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_NOT_CGI, 0, "the reply of the server at %s%s",
                          exchange->app->socket, why);
}

/* The whole head, and what came with it. */
static ssize_t read_head(struct lazy_exchange *exchange, char *buffer, size_t size,
                         struct lazy_error *error)
{
    size_t length = 0, good = 0;

    for (;;) {
        ssize_t got;

        if (lazy_exchange_wait(exchange, error) < 0)
            return -1;
        got = receive(exchange, buffer + length, size - length);
        if (got == LAZY_EXCHANGE_LATER)
            continue;
        if (got == 0 && length > 0)
            return not_cgi(exchange, " ended inside its head", error);
        if (got == 0 && replay(exchange, error) < 0)
            return -1;
        if (got == 0)
            continue;
        length += (size_t)got;
        switch (lazy_reply_head(buffer, &length, &good)) {
        case LAZY_REPLY_HEAD:
            exchange->answered = true;
            lazy_hang_end(exchange->app);
            return (ssize_t)length;
        case LAZY_REPLY_BAD:
            return not_cgi(exchange, " is not a CGI response (does the server speak SCGI?)", error);
        case LAZY_REPLY_MORE:
            if (length == size)
                return not_cgi(exchange, " has too large a head", error);
        }
    }
}

ssize_t lazy_exchange_read(struct lazy_exchange *exchange, char *buffer, size_t size,
                           struct lazy_error *error)
{
    return exchange->answered ? receive(exchange, buffer, size)
                              : read_head(exchange, buffer, size, error);
}

void lazy_exchange_end(struct lazy_exchange *exchange)
{
    if (exchange->fd >= 0)
        close(exchange->fd);
    exchange->fd = -1;
    if (exchange->silence >= 0)
        close(exchange->silence);
    exchange->silence = -1;
}

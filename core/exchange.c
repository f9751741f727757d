#include "exchange.h"

#include "call.h"
#include "deadline.h"
#include "hang.h"
#include "restart.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define UNSEEN_REPLAYS_MAX 10
#define DRY_STEP_MS 20 /* at most, between two looks at a body that nothing tells of */

static bool is_local(const struct lazy_exchange *exchange)
{
    return exchange->app->address.to.any.sa_family == AF_UNIX;
}

static int connect_once(struct lazy_exchange *exchange, struct lazy_error *error)
{
    exchange->fd = lazy_connect(exchange->app, exchange->front, error);
    return exchange->fd < 0 ? -1 : 0;
}

static void rewind_request(struct lazy_exchange *exchange)
{
    const struct lazy_body *body = exchange->body;

    exchange->head_sent = exchange->sent = 0;
    exchange->holds = exchange->refused = exchange->reset = exchange->received = false;
    exchange->hung_up = exchange->drained = false;
    if (exchange->in_hand)
        return;
    body->rewind(body->context);
    exchange->body_left = body->length;
    exchange->filled = 0;
    exchange->in_hand = true;
    exchange->is_dry = false;
}

static int connect_again(struct lazy_exchange *exchange, struct lazy_error *error)
{
    rewind_request(exchange);
    return connect_once(exchange, error);
}

int lazy_exchange_begin(struct lazy_exchange *exchange, const struct lazy_app *app,
                        const struct lazy_front *front, struct lazy_error *error)
{
    *exchange = (struct lazy_exchange){.app = app, .front = front, .silence = -1, .in_hand = true};
    return connect_once(exchange, error);
}

void lazy_exchange_send(struct lazy_exchange *exchange, const struct lazy_request *request,
                        const struct lazy_body *body)
{
    exchange->request = request;
    exchange->body = body;
    exchange->body_left = body->length;
}

static bool has_unsent(const struct lazy_exchange *exchange)
{
    return !exchange->refused && (exchange->head_sent < exchange->request->head_length ||
                                  exchange->sent < exchange->filled);
}

static bool wants_body(const struct lazy_exchange *exchange)
{
    return !exchange->refused && exchange->body_left > 0 &&
           exchange->filled < exchange->body->size;
}

bool lazy_exchange_body_done(const struct lazy_exchange *exchange)
{
    return exchange->refused || (exchange->body_left == 0 && !has_unsent(exchange));
}

/* The body waits until the head was read: with a small buffer, Linux calls a Unix socket writable when
 * nothing in it is unread. */
static void set_hold(struct lazy_exchange *exchange, bool holds)
{
#ifdef __linux__
    int size = holds ? 1 : 212992;

    lazy_call_setsockopt(exchange->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
#endif
    exchange->holds = holds;
}

/* Sends what there is, as far as the server takes it. */
static void push(struct lazy_exchange *exchange)
{
    const struct lazy_request *request = exchange->request;
    size_t head_left = request->head_length - exchange->head_sent;
    bool must_hold = head_left > 0 && exchange->body->length > 0 && is_local(exchange);
    struct iovec parts[2] = {
        {(char *)request->head + exchange->head_sent, head_left},
        {exchange->body->buffer + exchange->sent,
         must_hold ? 0 : exchange->filled - exchange->sent},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = lazy_call_sendmsg(exchange->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0) {
        /* an early reply may still wait to be read, so this isn't the end */
        exchange->refused = errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM;
        exchange->reset |= errno == ECONNRESET;
        return;
    }
    if ((size_t)sent < head_left) {
        exchange->head_sent += (size_t)sent;
        return;
    }
    exchange->head_sent = request->head_length;
    if (must_hold)
        set_hold(exchange, true);
    exchange->sent += (size_t)sent - head_left;
    if (exchange->sent == exchange->body->size && exchange->body_left > 0) {
        exchange->sent = exchange->filled = 0;
        exchange->in_hand = false;
    }
}

static int visitor_gone(struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_VISITOR_GONE, 0, "the visitor has gone");
}

static int fill(struct lazy_exchange *exchange, struct lazy_error *error)
{
    const struct lazy_body *body = exchange->body;
    size_t room = body->size - exchange->filled;
    ssize_t got;

    if ((long long)room > exchange->body_left)
        room = (size_t)exchange->body_left;
    got = body->read(body->context, body->buffer + exchange->filled, room);
    exchange->is_dry = got < 0 && errno == EAGAIN;
    if (exchange->is_dry || (got < 0 && errno == EINTR))
        return 0;
    if (got < 0 && body->rewind != NULL)
        return lazy_error_set(error, LAZY_SPOOL, errno, "the temporary file can't be read");
    if (got <= 0)
        return visitor_gone(error); /* the body is shorter than was said */
    exchange->filled += (size_t)got;
    exchange->body_left -= got;
    exchange->dry_ms = 0;
    return 0;
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
    return (int)exchange->app->settings.response_timeout / (exchange->holds ? 2 : 1);
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

    if (wants && exchange->body->fd < 0) {
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
    const struct lazy_body *body = exchange->body;
    const struct lazy_front *front = exchange->front;
    bool wants = wants_body(exchange), unsent = has_unsent(exchange);
    bool may_read = wants && !exchange->is_dry && (body->is_eager || body->fd < 0);
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
    if ((may_read || fds[2].revents != 0 || (wants && body->fd < 0)) && fill(exchange, error) < 0)
        return -1;
    if (exchange->holds && (fds[0].revents & POLLOUT || exchange->silence_ms >= longest_nap(exchange)))
        set_hold(exchange, false);
    if (has_unsent(exchange) && !exchange->holds)
        push(exchange);
    exchange->hung_up = (fds[0].revents & (POLLHUP | POLLERR)) == POLLHUP;
    return fds[0].revents & (POLLIN | POLLHUP | POLLERR) ? 1 : 0;
}

int lazy_exchange_wait(struct lazy_exchange *exchange, struct lazy_error *error)
{
    bool was_done = lazy_exchange_body_done(exchange);
    int ready;

    if (exchange->head_sent == 0 && !exchange->refused)
        push(exchange);
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
    exchange->refused |= got == 0; /* who has closed takes no more either */
    if (got >= 0)
        return got;
    if (errno == EAGAIN || errno == EINTR || errno == ENOMEM)
        return LAZY_EXCHANGE_LATER;
    /* a server that closes with some of the body unread resets the connection: the reply's end as far
     * as anybody can tell */
    exchange->reset = exchange->refused = true;
    return 0;
}

/* No server can have acted on the request, for none has read the whole of its head: it was left in the
 * queue of one that has ended. A Unix socket is reset when not all was read that we sent. On TCP a reset
 * may mean anything, so that is for requests that may be seen twice. */
static bool is_unseen(const struct lazy_exchange *exchange)
{
    return exchange->head_sent == 0 || (exchange->reset && exchange->in_hand && exchange->sent == 0 &&
                                        (exchange->request->is_safe || is_local(exchange)));
}

static bool may_replay(const struct lazy_exchange *exchange)
{
    if (is_unseen(exchange))
        return exchange->unseen < UNSEEN_REPLAYS_MAX;
    return exchange->replays == 0 && exchange->request->is_safe &&
           (exchange->in_hand || exchange->body->rewind != NULL);
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
    (*(is_unseen(exchange) ? &exchange->unseen : &exchange->replays))++;
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

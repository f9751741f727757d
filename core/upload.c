#include "upload.h"

#include "call.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define USUAL_SNDBUF 212992 /* /proc/sys/net/core/wmem_default */

void lazy_upload_begin(struct lazy_upload *upload, const struct lazy_request *request,
                       const struct lazy_body *body, bool is_local)
{
    *upload = (struct lazy_upload){.request = request, .body = body, .body_left = body->length,
                                   .in_hand = true, .is_local = is_local};
}

void lazy_upload_rewind(struct lazy_upload *upload)
{
    const struct lazy_body *body = upload->body;

    upload->head_sent = upload->sent = 0;
    upload->holds = upload->refused = upload->reset = false;
    if (upload->in_hand)
        return;
    body->rewind(body->context);
    upload->body_left = body->length;
    upload->filled = 0;
    upload->in_hand = true;
    upload->is_dry = false;
}

bool lazy_upload_has_unsent(const struct lazy_upload *upload)
{
    return !upload->refused &&
           (upload->head_sent < upload->request->head_length || upload->sent < upload->filled);
}

bool lazy_upload_wants_body(const struct lazy_upload *upload)
{
    return !upload->refused && upload->body_left > 0 && upload->filled < upload->body->size;
}

bool lazy_upload_is_done(const struct lazy_upload *upload)
{
    return upload->refused || (upload->body_left == 0 && !lazy_upload_has_unsent(upload));
}

/* The body waits until the head was read: with a small buffer, Linux calls a Unix socket writable when
 * nothing in it is unread. */
static void set_hold(struct lazy_upload *upload, int fd, bool holds)
{
#ifdef __linux__
    int size = holds ? 1 : USUAL_SNDBUF;

    lazy_call_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
#else
    (void)fd;
#endif
    upload->holds = holds;
}

void lazy_upload_release(struct lazy_upload *upload, int fd)
{
    set_hold(upload, fd, false);
}

void lazy_upload_push(struct lazy_upload *upload, int fd)
{
    const struct lazy_request *request = upload->request;
    const struct lazy_body *body = upload->body;
    size_t head_left = request->head_length - upload->head_sent;
    bool must_hold = head_left > 0 && body->length > 0 && upload->is_local;
    struct iovec parts[2] = {
        {(char *)request->head + upload->head_sent, head_left},
        {body->buffer + upload->sent, must_hold ? 0 : upload->filled - upload->sent},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = lazy_call_sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0) {
        /* an early reply may still wait to be read, so this isn't the end */
        upload->refused = errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM;
        upload->reset |= errno == ECONNRESET;
        return;
    }
    if ((size_t)sent < head_left) {
        upload->head_sent += (size_t)sent;
        return;
    }
    upload->head_sent = request->head_length;
    if (must_hold)
        set_hold(upload, fd, true);
    upload->sent += (size_t)sent - head_left;
    if (upload->sent == body->size && upload->body_left > 0) {
        upload->sent = upload->filled = 0;
        upload->in_hand = false;
    }
}

bool lazy_upload_is_unseen(const struct lazy_upload *upload)
{
    return upload->head_sent == 0 || (upload->reset && upload->in_hand && upload->sent == 0 &&
                                      (upload->request->is_safe || upload->is_local));
}

bool lazy_upload_is_repeatable(const struct lazy_upload *upload)
{
    return upload->request->is_safe && (upload->in_hand || upload->body->rewind != NULL);
}

int lazy_upload_fill(struct lazy_upload *upload, struct lazy_error *error)
{
    const struct lazy_body *body = upload->body;
    size_t room = body->size - upload->filled;
    ssize_t got;

    if ((long long)room > upload->body_left)
        room = (size_t)upload->body_left;
    got = body->read(body->context, body->buffer + upload->filled, room);
    upload->is_dry = got < 0 && errno == EAGAIN;
    if (upload->is_dry || (got < 0 && errno == EINTR))
        return 0;
    if (got < 0 && body->rewind != NULL)
        return lazy_error_set(error, LAZY_SPOOL, errno, "the temporary file can't be read");
    if (got <= 0) /* the body is shorter than was said */
        return lazy_error_set(error, LAZY_VISITOR_GONE, 0, "the visitor has gone");
    upload->filled += (size_t)got;
    upload->body_left -= got;
    return 1;
}

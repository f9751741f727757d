#include "address.h"

#include "call.h"
#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TCP_WAIT_MS 1000

static int malformed(const char *text, const char *why, struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_APP, 0, "'socket' can't be '%s': %s", text, why);
}

/* A path, or with `abstract` a name behind the NUL that replaces the '@' (unix(7)). */
static int parse_unix(struct lazy_address *address, const char *path, int abstract,
                      struct lazy_error *error)
{
    struct sockaddr_un *un = &address->to.un;
    size_t length = strlen(path);

    if (abstract ? length < 2 : length == 0 || path[length - 1] == '/')
        return malformed(path, "it must end with a name", error);
    if (length >= sizeof un->sun_path)
        return malformed(path, "the system takes at most 107 bytes; give a shorter path such as "
                               "/tmp/NAME/app.sock", error);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length + 1);
    if (abstract)
        un->sun_path[0] = '\0';
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
    return 0;
}

static int parse_tcp(struct lazy_address *address, const char *text, struct lazy_error *error)
{
    static const char wrong_host[] = "the host must be a numeric address ([v6] in brackets) or "
                                     "localhost";
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':'), *start = text, *end;
    long long port;
    size_t length;

    if (colon == NULL)
        return malformed(text, "it is neither a path, @name, host:port nor [v6]:port", error);
    if (!lazy_value_number(colon + 1, 65535, &port, &end) || *end != '\0' || port == 0)
        return malformed(text, "the port must be 1 to 65535", error);
    length = (size_t)(colon - text);
    if (*text == '[' && length > 2 && colon[-1] == ']') {
        start++;
        length -= 2;
    }
    if (length >= sizeof host)
        return malformed(text, wrong_host, error);
    memcpy(host, start, length);
    host[length] = '\0';
    if (start > text && inet_pton(AF_INET6, host, &address->to.in6.sin6_addr) == 1) {
        address->to.in6.sin6_family = AF_INET6;
        address->to.in6.sin6_port = htons((unsigned short)port);
        address->length = sizeof address->to.in6;
        return 0;
    }
    if (start == text && inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                                   &address->to.in.sin_addr) == 1) {
        address->to.in.sin_family = AF_INET;
        address->to.in.sin_port = htons((unsigned short)port);
        address->length = sizeof address->to.in;
        return 0;
    }
    return malformed(text, wrong_host, error);
}

int lazy_address_parse(struct lazy_address *address, const char *text, struct lazy_error *error)
{
    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(address, text + 5, 0, error);
    if (*text == '@')
        return parse_unix(address, text, 1, error);
    if (*text == '/')
        return parse_unix(address, text, 0, error);
    return parse_tcp(address, text, error);
}

const char *lazy_address_path(const struct lazy_address *address)
{
    return address->to.any.sa_family == AF_UNIX && address->to.un.sun_path[0] != '\0'
               ? address->to.un.sun_path
               : NULL;
}

/* A port of the ephemeral range on this host can be given to the connecting end itself, which then
 * meets its own connect (TCP's simultaneous open) and believes a server is there. */
static int is_self(int fd)
{
    struct sockaddr_storage here, there;
    socklen_t here_length = sizeof here, there_length = sizeof there;

    return getsockname(fd, (struct sockaddr *)&here, &here_length) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_length) == 0 &&
           here_length == there_length && memcmp(&here, &there, here_length) == 0;
}

/* Waits for a TCP connect under way; leaves its result in errno. */
static int finish_tcp(int fd, int wait)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int result = 0, ready;
    socklen_t length = sizeof result;

    while ((ready = poll(&poll_fd, 1, wait > TCP_WAIT_MS ? wait : TCP_WAIT_MS)) < 0 && errno == EINTR)
        ;
    if (ready == 0)
        result = EAGAIN;
    else if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &length) < 0)
        result = errno;
    else if (result == 0 && is_self(fd))
        result = ECONNREFUSED;
    errno = result;
    return result == 0 ? 0 : -1;
}

static int connect_tcp(const struct lazy_address *address, int wait, int fd)
{
    int on = 1;

    /* The head and the body are two writes: Nagle would hold the second for an ACK. */
    lazy_call_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, &address->to.any, address->length) < 0 && errno != EINPROGRESS && errno != EINTR)
        return -1;
    return finish_tcp(fd, wait);
}

/* A non-blocking connect meets a full Unix queue with EAGAIN, and poll() would call the socket
 * writable at once; a blocking one stands in the kernel's own line. */
static int connect_unix(const struct lazy_address *address, int wait, int fd)
{
    struct timeval limit = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};
    int result;

    if (wait > 0)
        lazy_call_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    while ((result = connect(fd, &address->to.any, address->length)) < 0 && errno == EINTR && wait == 0)
        ; /* there is no queue we could have stood in */
    return result;
}

static enum lazy_outcome outcome_of(int errnum)
{
    switch (errnum) {
    case ECONNREFUSED:
    case ENOENT:
        return LAZY_DOWN;
    case EAGAIN:
    case EINTR: /* a signal cut the wait in the queue short: ask again */
        return LAZY_FULL;
    default:
        return LAZY_LOST;
    }
}

enum lazy_outcome lazy_address_connect(const struct lazy_address *address, int wait, int *fd)
{
    int family = address->to.any.sa_family, errnum;
    int mode = family == AF_UNIX && wait > 0 ? 0 : SOCK_NONBLOCK;

    *fd = lazy_call_socket(family, SOCK_STREAM | SOCK_CLOEXEC | mode);
    if (*fd < 0)
        return LAZY_LOST;
    if ((family == AF_UNIX ? connect_unix : connect_tcp)(address, wait, *fd) == 0)
        return LAZY_UP;
    errnum = errno;
    close(*fd);
    *fd = -1;
    errno = errnum;
    return outcome_of(errnum);
}

bool lazy_address_listens(const struct lazy_address *address, pid_t *listener)
{
    enum lazy_outcome outcome;
    pid_t pid = 0;
    uid_t user;
    int fd;

    outcome = lazy_address_connect(address, 0, &fd);
    if (outcome == LAZY_UP) {
        lazy_address_peer(address, fd, &user, &pid);
        close(fd);
    }
    if (listener != NULL)
        *listener = pid;
    return outcome == LAZY_UP || outcome == LAZY_FULL;
}

int lazy_address_peer(const struct lazy_address *address, int fd, uid_t *user, pid_t *pid)
{
    if (address->to.any.sa_family != AF_UNIX)
        return 0;
#ifdef SO_PEERCRED
    struct ucred peer;
    socklen_t length = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        peer = (struct ucred){.uid = (uid_t)-1};
    *user = peer.uid;
    *pid = peer.pid;
    return 1;
#else
    gid_t group;

    *pid = 0;
    if (getpeereid(fd, user, &group) < 0)
        *user = (uid_t)-1;
    return 1;
#endif
}

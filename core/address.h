/* Text -> address -> connected socket. */
#ifndef LAZY_ADDRESS_H
#define LAZY_ADDRESS_H

#include "error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct lazy_address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } to;
};

/* What a connect found. */
enum lazy_outcome {
    LAZY_UP,   /* connected */
    LAZY_DOWN, /* refused, or no such file: nobody listens (the only outcome that calls for a start) */
    LAZY_FULL, /* somebody listens, but the queue is full */
    LAZY_LOST  /* anything else; errno says what */
};

/* Reads "/path", "unix:path", "@abstract", "host:port" or "[v6]:port"; a host is numeric or
 * "localhost", since a resolver would be most of a small static program. -1 with LAZY_APP. */
int lazy_address_parse(struct lazy_address *address, const char *text, struct lazy_error *error);

/* The socket's path in the file system, or NULL for abstract and TCP addresses. */
const char *lazy_address_path(const struct lazy_address *address);

/* Connects to a stream socket and sets *fd (close-on-exec) when the outcome is LAZY_UP. `wait`: how
 * many ms the kernel may keep us in a full Unix queue (0: none). A TCP connect waits at least a
 * second, for there a full queue and a slow network look alike. errno is set for LAZY_LOST. */
enum lazy_outcome lazy_address_connect(const struct lazy_address *address, int wait, int *fd);

/* Does somebody listen there? Sets *listener (which may be NULL) to the pid, 0 where it can't be known. */
bool lazy_address_listens(const struct lazy_address *address, pid_t *listener);

/* Who listens at the other end of a Unix socket (unix(7), SO_PEERCRED): 1 and *user (-1 if it
 * could not be asked) and *pid (0 where the system does not tell); 0 for TCP, where nobody knows. */
int lazy_address_peer(const struct lazy_address *address, int fd, uid_t *user, pid_t *pid);

#endif

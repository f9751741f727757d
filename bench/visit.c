/* The visitor of the benches: keep-alive connections, each with one GET under way, again and again.
 *
 *   visit CONNECTIONS SECONDS COUNT PORT PATH [HEADERS [PLACES]]
 *
 * It ends after SECONDS or after COUNT requests (0: no such limit).  HEADERS more are sent.  A `*` in PATH is
 * one after the other of the numbers below PLACES.  Prints requests, failures (a status
 * other than 200, or a connection that broke) and ns taken; then the us that each request took. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct visit {
    int fd;
    long long sent;  /* when */
    size_t have;     /* bytes of the head */
    long long left;  /* of the body; -1: chunked */
    int in_body, bad, is_reused;
    char head[16384];
};

static struct sockaddr_in address = {.sin_family = AF_INET};
static char after[1 << 18]; /* what follows the path, or its star */
static const char *path;
static int places = 1;
static unsigned *taken;
static size_t count, room, failures;
static int poller;

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void dial(struct visit *visit)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = visit};
    int one = 1;

    visit->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(visit->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(visit->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(poller, EPOLL_CTL_ADD, visit->fd, &event);
}

static void ask(struct visit *visit)
{
    static char request[sizeof after + 8192];
    static int place;
    int length = snprintf(request, sizeof request, "GET %.*s", (int)strcspn(path, "*"), path);

    if (strchr(path, '*') != NULL)
        length += snprintf(request + length, sizeof request - (size_t)length, "%d", place++ % places);
    length += snprintf(request + length, sizeof request - (size_t)length, "%s", after);
    visit->have = 0;
    visit->in_body = visit->bad = 0;
    visit->sent = now();
    if (send(visit->fd, request, (size_t)length, MSG_NOSIGNAL) < 0)
        visit->bad = 1;
}

static void finish(struct visit *visit)
{
    if (count == room)
        taken = realloc(taken, (room = 2 * room + 4096) * sizeof *taken);
    taken[count++] = (unsigned)((now() - visit->sent) / 1000);
    failures += (size_t)visit->bad;
}

static void begin_body(struct visit *visit, char *end)
{
    char *line;

    *end = '\0';
    visit->in_body = 1;
    visit->left = 0;
    visit->bad = strncmp(visit->head, "HTTP/1.1 200", 12) != 0;
    for (line = visit->head; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            visit->left = atoll(line + 15);
        if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0)
            visit->left = -1;
    }
}

/* Takes bytes of the body: is that all of it?  A chunked one is believed to end with its mark. */
static int take(struct visit *visit, const char *bytes, size_t length)
{
    static const char mark[] = "0\r\n\r\n";

    if (visit->left >= 0)
        return (visit->left -= (long long)length) <= 0;
    return length >= 5 && memcmp(bytes + length - 5, mark, 5) == 0;
}

/* Reads what is there: 1 the reply is complete, 0 more will come, -1 the connection broke. */
static int progress(struct visit *visit)
{
    static char sink[1 << 18];
    char *to = visit->in_body ? sink : visit->head + visit->have, *end;
    ssize_t got = recv(visit->fd, to, visit->in_body ? sizeof sink : sizeof visit->head - 1 - visit->have, 0);

    if (got <= 0)
        return -1;
    if (visit->in_body)
        return take(visit, sink, (size_t)got);
    visit->have += (size_t)got;
    visit->head[visit->have] = '\0';
    if ((end = strstr(visit->head, "\r\n\r\n")) == NULL)
        return 0;
    begin_body(visit, end);
    end += 4;
    return take(visit, end, (size_t)(visit->head + visit->have - end));
}

static void write_headers(int more)
{
    const char *star = strchr(path, '*');
    int length = snprintf(after, sizeof after,
        "%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0)\r\n"
        "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en\r\n"
        "Cookie: session=0123456789abcdef0123456789abcdef\r\n", star == NULL ? "" : star + 1);

    for (int i = 0; i < more; i++)
        length += snprintf(after + length, sizeof after - (size_t)length, "X-Header-%d: of some length\r\n", i);
    snprintf(after + length, sizeof after - (size_t)length, "\r\n");
}

int main(int argc, char **argv)
{
    int connections = argc > 5 ? atoi(argv[1]) : 0;
    long long begin, until;
    size_t limit;
    struct visit *visits;

    if (connections < 1) {
        fputs("usage: visit CONNECTIONS SECONDS COUNT PORT PATH [HEADERS [PLACES]]\n", stderr);
        return 2;
    }
    limit = strtoul(argv[3], NULL, 10);
    address.sin_port = htons((unsigned short)atoi(argv[4]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    path = argv[5];
    places = argc > 7 ? atoi(argv[7]) : 1;
    write_headers(argc > 6 ? atoi(argv[6]) : 0);
    poller = epoll_create1(0);
    visits = calloc((size_t)connections, sizeof *visits);
    for (int i = 0; i < connections; i++)
        dial(&visits[i]);
    begin = now();
    until = begin + (long long)(atof(argv[2]) * 1e9);
    for (int i = 0; i < connections; i++)
        ask(&visits[i]);
    while ((limit == 0 || count < limit) && (until == begin || count == 0 || now() < until)) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, 1000);

        for (int i = 0; i < ready; i++) {
            struct visit *visit = events[i].data.ptr;
            int result = progress(visit);

            if (result < 0) {
                visit->bad = 1;
                close(visit->fd);
                dial(visit);
            }
            if (result < 0 && visit->is_reused && visit->have == 0) {
                /* the server has closed an idle connection just as we asked: it has seen nothing (RFC 9112, 9.3.1) */
                visit->is_reused = 0;
                ask(visit);
            } else if (result != 0) {
                visit->is_reused = result > 0;
                finish(visit);
                ask(visit);
            }
        }
    }
    printf("%zu %zu %lld\n", count, failures, now() - begin);
    for (size_t i = 0; i < count; i++)
        printf("%u\n", taken[i]);
    return 0;
}

/* The server of the benches: answers SCGI requests, or FastCGI ones, with as many bytes as the query
 * string says, after as many ms as it says behind a `+`. Quick, and no more: it believes all that it is told.
 *
 *   backend scgi|fastcgi SOCKET [THREADS [MS [NOTES]]]
 *
 * SOCKET - is descriptor 0, listening already. It listens after MS, and then writes to NOTES the times, in
 * ns, of its first instruction and of its listen(). */

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 65535 /* bytes sent at a time; FastCGI's records hold no more */

static char block[BLOCK];

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void nap(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&time, NULL);
}

static int read_all(int fd, char *buffer, size_t length)
{
    while (length > 0) {
        ssize_t got = recv(fd, buffer, length, 0);

        if (got <= 0)
            return -1;
        buffer += got;
        length -= (size_t)got;
    }
    return 0;
}

static int send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return -1;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* The value of a variable in NAME\0VALUE\0 pairs, or "". */
static const char *value_of(const char *pairs, size_t length, const char *name)
{
    const char *end = pairs + length;

    while (pairs < end) {
        const char *value = pairs + strlen(pairs) + 1;

        if (strcmp(pairs, name) == 0)
            return value;
        pairs = value + strlen(value) + 1;
    }
    return "";
}

static void serve_scgi(int fd)
{
    static __thread char sink[BLOCK];
    char head[65536], reply[256];
    long long size, body;
    ssize_t got = recv(fd, head, sizeof head - 1, 0);
    char *pairs, *rest;
    const char *query;
    size_t length;
    int reply_length;

    if (got <= 0)
        return;
    head[got] = '\0';
    length = strtoul(head, &pairs, 10);
    pairs++;
    if (pairs + length + 1 > head + got &&
        read_all(fd, head + got, (size_t)(pairs + length + 1 - head - got)) < 0)
        return;
    rest = pairs + length + 1;
    body = atoll(value_of(pairs, length, "CONTENT_LENGTH")) - (rest < head + got ? head + got - rest : 0);
    while (body > 0) {
        got = recv(fd, sink, sizeof sink, 0);
        if (got <= 0)
            return;
        body -= got;
    }
    query = value_of(pairs, length, "QUERY_STRING");
    size = atoll(query);
    if (strchr(query, '+') != NULL)
        nap(atoi(strchr(query, '+') + 1));
    reply_length = snprintf(reply, sizeof reply,
                            "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %lld\r\n\r\n", size);
    if (size <= (long long)sizeof reply - reply_length) {
        memcpy(reply + reply_length, block, (size_t)size);
        send_all(fd, reply, (size_t)(reply_length + size));
        return;
    }
    if (send_all(fd, reply, (size_t)reply_length) < 0)
        return;
    for (; size > 0; size -= BLOCK)
        if (send_all(fd, block, size < BLOCK ? (size_t)size : BLOCK) < 0)
            return;
}

/* ---- FastCGI: one request at a time over a connection that may be kept ----------------------------- */

enum { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static size_t field_length(const unsigned char **at)
{
    size_t length = *(*at)++;

    if (length & 0x80) {
        length = (length & 0x7f) << 24 | (size_t)(*at)[0] << 16 | (size_t)(*at)[1] << 8 | (*at)[2];
        *at += 3;
    }
    return length;
}

static long long query_of(const char *params, size_t length)
{
    const unsigned char *at = (const unsigned char *)params, *end = at + length;

    while (at < end) {
        size_t name = field_length(&at), value = field_length(&at);

        if (name == 12 && memcmp(at, "QUERY_STRING", 12) == 0) {
            char number[32] = "";
            memcpy(number, at + name, value < 31 ? value : 31);
            return atoll(number);
        }
        at += name + value;
    }
    return 0;
}

static int send_record(int fd, int type, const char *bytes, size_t length)
{
    unsigned char head[8] = {1, (unsigned char)type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length};
    struct iovec parts[2] = {{head, 8}, {(char *)bytes, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

    if (sent < 8)
        return -1;
    return send_all(fd, bytes + (sent - 8), length - (size_t)(sent - 8));
}

static int answer_fastcgi(int fd, long long size)
{
    char reply[256];
    int length = snprintf(reply, sizeof reply,
                          "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %lld\r\n\r\n", size);
    int whole = size <= (long long)sizeof reply - length;

    if (whole) {
        memcpy(reply + length, block, (size_t)size);
        length += (int)size;
    }
    if (send_record(fd, STDOUT, reply, (size_t)length) < 0)
        return -1;
    for (; !whole && size > 0; size -= BLOCK)
        if (send_record(fd, STDOUT, block, size < BLOCK ? (size_t)size : BLOCK) < 0)
            return -1;
    return send_record(fd, STDOUT, "", 0) < 0 ? -1 : send_record(fd, END, "\0\0\0\0\0\0\0\0", 8);
}

static void serve_fastcgi(int fd)
{
    static __thread char params[65536], content[65536 + 256];
    size_t have = 0;
    int keep = 0;

    for (;;) {
        unsigned char head[8];
        size_t length;

        if (read_all(fd, (char *)head, 8) < 0)
            return;
        length = (size_t)head[4] << 8 | head[5];
        if (read_all(fd, content, length + head[6]) < 0)
            return;
        if (head[1] == BEGIN)
            keep = content[2] & 1, have = 0;
        if (head[1] == PARAMS && have + length <= sizeof params) {
            memcpy(params + have, content, length);
            have += length;
        }
        if (head[1] == STDIN && length == 0 &&
            (answer_fastcgi(fd, query_of(params, have)) < 0 || !keep))
            return;
    }
}

static void (*serve)(int fd);
static int listener;
static pthread_mutex_t not_yet = PTHREAD_MUTEX_INITIALIZER; /* locked until it listens */

static void *work(void *context)
{
    int fd;

    pthread_mutex_lock(&not_yet);
    pthread_mutex_unlock(&not_yet);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        serve(fd);
        close(fd);
    }
    return context;
}

static void note(const char *path, long long begin)
{
    char line[64], temporary[4096];
    int length = snprintf(line, sizeof line, "%lld %lld\n", begin, now()), fd;

    snprintf(temporary, sizeof temporary, "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, line, (size_t)length) != length || rename(temporary, path) < 0)
        perror(path);
}

static int begin_listening(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strcmp(path, "-") == 0)
        return 0;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : listen(listener, 511);
}

int main(int argc, char **argv)
{
    long long begin = now();
    int threads = argc > 3 ? atoi(argv[3]) : 32;
    pthread_t thread;

    if (argc < 3) {
        fputs("usage: backend scgi|fastcgi SOCKET [THREADS [MS [NOTES]]]\n", stderr);
        return 2;
    }
    serve = strcmp(argv[1], "scgi") == 0 ? serve_scgi : serve_fastcgi;
    memset(block, 'x', sizeof block);
    pthread_mutex_lock(&not_yet);
    while (--threads > 0)
        pthread_create(&thread, NULL, work, NULL);
    if (argc > 4)
        nap(atoi(argv[4]));
    if (begin_listening(argv[2]) < 0) {
        perror(argv[2]);
        return 1;
    }
    if (argc > 5)
        note(argv[5], begin);
    pthread_mutex_unlock(&not_yet);
    work(NULL);
}

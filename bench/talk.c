/* The floor of all who speak SCGI from a web server: connect, send, wait, receive, close, and no more.
 *
 *   talk THREADS SECONDS SOCKET QUERY
 *
 * Prints how many conversations there were, the ns that went by, and the us of CPU. */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD 1100 /* bytes of variables, as of a browser's request */

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char request[HEAD + 256];
static size_t length;
static atomic_long count;
static atomic_int is_over;

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void write_request(const char *query)
{
    char pairs[HEAD + 128];
    size_t size = (size_t)snprintf(pairs, sizeof pairs, "CONTENT_LENGTH%c0%cSCGI%c1%cQUERY_STRING%c%s%c", 0, 0, 0, 0, 0, query, 0);

    while (size < HEAD)
        size += (size_t)snprintf(pairs + size, sizeof pairs - size, "HTTP_X_HEADER%cof some length%c", 0, 0);
    length = (size_t)snprintf(request, sizeof request, "%zu:", size);
    memcpy(request + length, pairs, size);
    length += size;
    request[length++] = ',';
}

static void *talk(void *context)
{
    char reply[65536];

    while (!is_over) {
        struct pollfd readable = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .events = POLLIN};

        if (connect(readable.fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            send(readable.fd, request, length, MSG_NOSIGNAL) == (ssize_t)length && poll(&readable, 1, 1000) == 1 &&
            recv(readable.fd, reply, sizeof reply, MSG_DONTWAIT) > 0)
            count++;
        close(readable.fd);
    }
    return context;
}

int main(int argc, char **argv)
{
    int threads = argc == 5 ? atoi(argv[1]) : 0;
    long long begin = now(), pause = (long long)(argc == 5 ? atof(argv[2]) * 1e9 : 0);
    struct timespec time = {pause / 1000000000, pause % 1000000000};
    pthread_t ids[256];
    struct rusage used;

    if (threads < 1 || threads > 256 || strlen(argv[3]) >= sizeof address.sun_path) {
        fputs("usage: talk THREADS SECONDS SOCKET QUERY\n", stderr);
        return 2;
    }
    strcpy(address.sun_path, argv[3]);
    write_request(argv[4]);
    for (int i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, talk, NULL);
    nanosleep(&time, NULL);
    is_over = 1;
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    getrusage(RUSAGE_SELF, &used);
    printf("%ld %lld %lld\n", count, now() - begin,
           (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    return 0;
}

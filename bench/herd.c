/* Many requests at once, all of them waiting for the same start.
 *
 *   herd cgi COUNT PROGRAM     the environment is the request
 *   herd http COUNT PORT PATH
 *
 * Prints a line for each request: the ns, on the clock of backend.c's notes, when it was sent and when its
 * first byte came; and 1 if the reply was `200`.  Then the CPU us that the CGI processes have used. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct visit {
    long long sent, answered;
    int is_good;
};

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int die(const char *what)
{
    perror(what);
    exit(1);
}

/* The end of a pipe from which the reply of a new CGI process comes. */
static int run(char *program)
{
    char *argv[] = {program, NULL};
    int pipes[2], null;
    pid_t pid;

    if (pipe(pipes) < 0 || fcntl(pipes[0], F_SETFD, FD_CLOEXEC) < 0)
        die("pipe");
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        dup2(pipes[1], 1);
        close(pipes[1]);
        close(null);
        execv(program, argv);
        _exit(127);
    }
    close(pipes[1]);
    return pipes[0];
}

static int ask(const char *port, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[4096];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || send(fd, request, (size_t)length, 0) < 0)
        die("connect");
    return fd;
}

/* One event of one request: false when it is over. */
static int progress(struct visit *visit, int fd)
{
    char buffer[65536];
    ssize_t got = read(fd, buffer, sizeof buffer - 1);

    if (got > 0 && visit->answered == 0) {
        visit->answered = now();
        buffer[got] = '\0';
        visit->is_good = strncmp(buffer, "Status: 200", 11) == 0 || strncmp(buffer, "HTTP/1.1 200", 12) == 0;
    }
    return got > 0;
}

int main(int argc, char **argv)
{
    int count = argc > 3 ? atoi(argv[2]) : 0, is_cgi = argc == 4, left = count;
    struct rlimit limit;
    struct pollfd *fds;
    struct visit *visits;
    struct rusage used;

    if (count < 1) {
        fputs("usage: herd cgi COUNT PROGRAM | herd http COUNT PORT PATH\n", stderr);
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    fds = calloc((size_t)count, sizeof *fds);
    visits = calloc((size_t)count, sizeof *visits);
    for (int i = 0; i < count; i++) {
        visits[i].sent = now();
        fds[i] = (struct pollfd){.fd = is_cgi ? run(argv[3]) : ask(argv[3], argv[4]), .events = POLLIN};
    }
    while (left > 0 && poll(fds, (nfds_t)count, -1) > 0)
        for (int i = 0; i < count; i++)
            if (fds[i].revents != 0 && !progress(&visits[i], fds[i].fd)) {
                fds[i].fd = -1;
                left--;
            }
    while (is_cgi && wait(NULL) > 0)
        ;
    getrusage(RUSAGE_CHILDREN, &used);
    for (int i = 0; i < count; i++)
        printf("%lld %lld %d\n", visits[i].sent, visits[i].answered, visits[i].is_good);
    printf("%lld\n", (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    return 0;
}

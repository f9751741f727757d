/* The server of the campaigns: a master and some workers, that notes what it reads and dies in any way.
 *
 *   workers FOLDER COUNT
 *
 * Listens at the Unix socket $LAZYSCGI_SOCKET. Appends its pid to FOLDER/starts, "overlap" to
 * FOLDER/faults if another one is still there, and, where FOLDER/notes exists, "p ID" when it sees a
 * request's first bytes, "r ID" once it has read its head, and "a ID" before it answers. When the master is killed, the workers of
 * every other server end with it, and those of the rest go on.
 *
 * Of the query, id=ID names a request, ms=TIME is how long the answer takes, n=BYTES the length of its
 * filling, and do=WHAT how it fails: close, exit, garbage, or short. */

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD_MAX 65536

static int notes;

struct request {
    int fd;
    char buffer[HEAD_MAX];
    size_t length, head_end; /* bytes that came, and of them the head */
    long long body_length;
    unsigned sum; /* of the body's bytes */
    const char *query;
};

/* Shows the next server that this process is there. A lock of fcntl(2) goes at once when its descriptor is
 * closed, and that is before the listener's, which has a higher number: so it has gone before anybody can
 * want the next server. flock(2) would be given back some time after. */
static void be_there(int alone)
{
    struct flock own = {.l_type = F_RDLCK};

    if (fcntl(alone, F_SETLK, &own) < 0)
        exit(1);
}

static void append(int folder, const char *name, const char *line)
{
    int fd = openat(folder, name, O_WRONLY | O_APPEND | O_CREAT, 0644);

    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        exit(1);
    close(fd);
}

/* The value in NAME=VALUE&..., up to its end. */
static const char *option(const char *query, const char *name)
{
    size_t length = strlen(name);

    for (; query != NULL; query = strchr(query, '&') ? strchr(query, '&') + 1 : NULL)
        if (strncmp(query, name, length) == 0 && query[length] == '=')
            return query + length + 1;
    return "";
}

static void note(const struct request *request, char what)
{
    char line[128];
    int length = snprintf(line, sizeof line, "%c %.*s\n", what,
                          (int)strcspn(option(request->query, "id"), "&"), option(request->query, "id"));

    if (notes >= 0 && write(notes, line, (size_t)length) < 0)
        exit(1);
}

/* Finds the query and the length in a whole head; false: there is more to come. */
static bool parse(struct request *request)
{
    char *at, *end;
    size_t size = strtoul(request->buffer, &at, 10);

    if (*at != ':' || (size_t)(at - request->buffer) + size + 2 > request->length)
        return false;
    end = ++at + size;
    request->head_end = (size_t)(end + 1 - request->buffer);
    while (at < end) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, "CONTENT_LENGTH") == 0)
            request->body_length = atoll(value);
        if (strcmp(at, "QUERY_STRING") == 0)
            request->query = value;
        at = (char *)value + strlen(value) + 1;
    }
    return true;
}

static bool receive(struct request *request, int flags)
{
    ssize_t got = recv(request->fd, request->buffer + request->length,
                       sizeof request->buffer - 1 - request->length, flags);

    if (got <= 0)
        return false;
    request->length += (size_t)got;
    request->buffer[request->length] = '\0';
    return true;
}

/* Looks at the head before it takes it: whoever kills us in between, one of the notes is there. */
static bool read_head(struct request *request)
{
    if (!receive(request, MSG_PEEK))
        return false;
    if (parse(request))
        note(request, 'p');
    request->length = 0;
    do
        if (!receive(request, 0))
            return false;
    while (!parse(request));
    note(request, 'r');
    return true;
}

static void add(struct request *request, const char *bytes, size_t length)
{
    request->body_length -= (long long)length;
    while (length-- > 0)
        request->sum += (unsigned char)*bytes++;
}

static bool read_body(struct request *request)
{
    add(request, request->buffer + request->head_end, request->length - request->head_end);
    while (request->body_length > 0) {
        static char rest[HEAD_MAX];
        ssize_t got = recv(request->fd, rest, sizeof rest, 0);

        if (got <= 0)
            return false;
        add(request, rest, (size_t)got);
    }
    return true;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    ssize_t sent;

    for (; length > 0; bytes += sent, length -= (size_t)sent)
        if ((sent = send(fd, bytes, length, MSG_NOSIGNAL)) <= 0)
            return;
}

static void answer(const struct request *request)
{
    static const char garbage[] = "\1\2 this is no header\n\nnor this a body\n";
    static char reply[HEAD_MAX], filling[HEAD_MAX];
    const char *what = option(request->query, "do"), *id = option(request->query, "id");
    size_t left = strtoul(option(request->query, "n"), NULL, 10), promised = left;
    int length;
    char line[128];

    usleep((useconds_t)strtoul(option(request->query, "ms"), NULL, 10) * 1000);
    note(request, 'a');
    if (strncmp(what, "exit", 4) == 0)
        exit(0);
    if (strncmp(what, "garbage", 7) == 0)
        send_all(request->fd, garbage, sizeof garbage - 1);
    if (strncmp(what, "close", 5) == 0 || strncmp(what, "garbage", 7) == 0)
        return;
    if (strncmp(what, "short", 5) == 0)
        promised += 1000;
    length = snprintf(line, sizeof line, "%.*s %u\n", (int)strcspn(id, "&"), id, request->sum);
    length = snprintf(reply, sizeof reply,
                      "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                      (size_t)length + promised, line);
    send_all(request->fd, reply, (size_t)length);
    for (; left > 0; left -= left < sizeof filling ? left : sizeof filling)
        send_all(request->fd, filling, left < sizeof filling ? left : sizeof filling);
}

static void work(int alone, int listener, pid_t master, bool lingers)
{
    static struct request request;

    be_there(alone);
    if (!lingers && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != master))
        exit(1);
    while ((request.fd = accept(listener, NULL, NULL)) >= 0) {
        request.length = 0;
        request.body_length = 0;
        request.sum = 0;
        request.query = NULL;
        if (read_head(&request) && read_body(&request))
            answer(&request);
        close(request.fd);
    }
    exit(1);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    int folder = open(argc > 2 ? argv[1] : "", O_RDONLY | O_DIRECTORY);
    int alone = openat(folder, "alone", O_RDWR | O_CREAT, 0644), count, listener;
    struct flock others = {.l_type = F_WRLCK};
    pid_t self = getpid();
    char line[32];

    if (alone < 0)
        return 2;
    if (fcntl(alone, F_GETLK, &others) < 0 || others.l_type != F_UNLCK)
        append(folder, "faults", "overlap\n");
    be_there(alone);
    snprintf(line, sizeof line, "%d\n", (int)self);
    append(folder, "starts", line);
    notes = openat(folder, "notes", O_WRONLY | O_APPEND);
    listener = listen_at(getenv("LAZYSCGI_SOCKET"));
    count = atoi(argv[2]);
    do
        while (count-- > 0)
            if (fork() == 0)
                work(alone, listener, self, self % 2 == 0);
    while (wait(NULL) > 0 && (count = 1));
    return 1;
}

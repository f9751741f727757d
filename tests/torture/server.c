/* A SCGI server that tells by itself when it isn't alone.
 *
 *   server FOLDER [delay=MS] [linger=MS] [gate] [exit=STATUS] [daemon]
 *
 * FOLDER/notes gets a line `start PID`, and `violation PID` if another server holds FOLDER/alone at that
 * time: the kernel's own word that two ran. It listens at $LAZYSCGI_SOCKET, after `delay`, or once
 * FOLDER/gate is there; stopped by SIGTERM it takes no more requests, and ends `linger` later. A request
 * gets the server's pid and what its body was, or that body if PATH_INFO is /echo. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *folder;
static volatile sig_atomic_t stopped;
static int listener = -1;

static void on_term(int number)
{
    (void)number;
    stopped = 1;
}

static int open_file(const char *name, int flags)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, flags | O_CLOEXEC, 0666);
}

static void note(const char *word)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s %d\n", word, (int)getpid());
    int fd = open_file("notes", O_WRONLY | O_CREAT | O_APPEND);

    if (fd < 0 || write(fd, line, (size_t)length) != length)
        abort();
    close(fd);
}

/* Holds FOLDER/alone until this process, and nobody else, has ended. */
static void be_alone(void)
{
    int fd = open_file("alone", O_RDWR | O_CREAT);

    if (fd < 0)
        abort();
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        note("violation");
}

static const char *option(int argc, char **argv, const char *name)
{
    size_t length = strlen(name);

    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && (argv[i][length] == '=' || argv[i][length] == '\0'))
            return argv[i] + length + (argv[i][length] == '=');
    return NULL;
}

static void pause_ms(const char *text)
{
    for (int left = text != NULL ? atoi(text) : 0; left > 0; left--)
        usleep(1000);
}

static void open_listener(void)
{
    const char *path = getenv("LAZYSCGI_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || strlen(path) >= sizeof address.sun_path)
        abort();
    strcpy(address.sun_path, path);
    unlink(path); /* as most servers do, whoever listens there */
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 512) < 0) {
        note("unbound");
        exit(3);
    }
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* The value of a variable in a SCGI head, which begins with CONTENT_LENGTH. */
static const char *variable(const char *head, size_t length, const char *name)
{
    for (const char *at = head; at < head + length;) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return "";
}

/* Takes its time, so that all of `block` is there when it answers. */
static void serve(int fd)
{
    static char block[1 << 16];
    unsigned sum = 0;
    long long body, total = 0;
    size_t filled = 0, size;
    const char *colon;
    char reply[128];
    ssize_t got;
    bool echoes;

    for (;;) {
        got = recv(fd, block + filled, sizeof block - 1 - filled, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        filled += (size_t)got;
        block[filled] = '\0';
        colon = strchr(block, ':');
        if (colon != NULL && filled > (size_t)(colon - block) + 1 + (size_t)atoi(block))
            break;
    }
    size = (size_t)atoi(block);
    body = atoll(variable(colon + 1, size, "CONTENT_LENGTH"));
    echoes = strcmp(variable(colon + 1, size, "PATH_INFO"), "/echo") == 0;
    filled -= (size_t)(colon - block) + 1 + size + 1;
    memmove(block, colon + 1 + size + 1, filled);
    if (echoes)
        send_all(fd, "Content-Type: text/plain\n\n", 26);
    got = (ssize_t)filled;
    while (got > 0 || total < body) {
        for (ssize_t i = 0; i < got; i++)
            sum = sum * 31 + (unsigned char)block[i];
        if (echoes && got > 0)
            send_all(fd, block, (size_t)got);
        total += got > 0 ? got : 0;
        if (total >= body)
            break;
        got = recv(fd, block, sizeof block, 0);
        if (got == 0 || (got < 0 && errno != EINTR))
            return;
    }
    if (!echoes) {
        int length = snprintf(reply, sizeof reply, "Content-Type: text/plain\n\n%d %lld %u\n",
                              (int)getpid(), total, sum);
        send_all(fd, reply, (size_t)length);
    }
}

static void run(const char *linger)
{
    while (!stopped) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            serve(fd);
            close(fd);
        }
    }
    close(listener);
    pause_ms(linger);
    note("end");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_term};
    int gate = -1;

    if (argc < 2)
        return 2;
    folder = argv[1];
    if (option(argc, argv, "daemon") != NULL && fork() != 0)
        return 0;
    sigaction(SIGTERM, &action, NULL);
    note("start");
    be_alone();
    pause_ms(option(argc, argv, "delay"));
    if (option(argc, argv, "exit") != NULL)
        return atoi(option(argc, argv, "exit"));
    while (option(argc, argv, "gate") != NULL && !stopped && (gate = open_file("gate", O_RDONLY)) < 0)
        usleep(1000);
    if (gate >= 0)
        close(gate);
    open_listener();
    run(option(argc, argv, "linger"));
    return 0;
}

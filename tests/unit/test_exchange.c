#include "unit.h"

#include "core/deadline.h"
#include "core/exchange.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO "Status: 200 OK\r\nX: y\r\n\r\nhello"
#define HELLO_HEAD (sizeof HELLO - sizeof "hello")
#define MIB (1 << 20)

typedef void act(int fd); /* what the server does with one connection; its end closes it */

static struct lazy_app *app;
static struct lazy_exchange exchange;
static struct lazy_request request;
static struct lazy_body body;
static struct lazy_front front;
static struct lazy_error error;
static char storage[2048], pieces[65536], reply[5 * MIB];
static size_t reply_length;

static act *acts[6]; /* of the server's thread, NULL-terminated; the last one for all that follow */
static pthread_t server;
static bool serving, body_arrived;
static int listener, descriptors, other_end;
static const char *say_text;
static size_t say_split;
static sem_t was_read;

/* A body whose bytes are known by their place. */
static struct {
    long long position, available;
    int errnum, rewinds;
} source;

static char pattern(long long at)
{
    return (char)(at * 7 + at / 251);
}

static ssize_t read_source(void *context, char *buffer, size_t size)
{
    long long left = source.available - source.position;

    (void)context;
    errno = source.errnum;
    if (left == 0 && errno != 0)
        return -1;
    if ((long long)size > left)
        size = (size_t)left;
    for (size_t i = 0; i < size; i++)
        buffer[i] = pattern(source.position++);
    return (ssize_t)size;
}

static void rewind_source(void *context)
{
    (void)context;
    source.position = 0;
    source.rewinds++;
}

static ssize_t read_pipe(void *context, char *buffer, size_t size)
{
    return read(*(int *)context, buffer, size);
}

/* ---- the server ---- */

static void say(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        length -= (size_t)sent;
    }
}

/* The head, and no byte more; returns the length of the body. */
static long long take_head(int fd)
{
    char head[2048] = "";
    size_t length = 0;

    while (length < 8 && recv(fd, head + length, 1, 0) == 1 && head[length] != ':')
        length++;
    length = (size_t)atoi(head) + 1;
    if (length > sizeof head || recv(fd, head, length, MSG_WAITALL) != (ssize_t)length)
        return -1;
    return head[length - 1] == ',' ? atoll(head + sizeof "CONTENT_LENGTH") : -1;
}

static void take_body(int fd, long long length)
{
    static char block[65536];
    long long at = 0;
    ssize_t got;

    body_arrived = length >= 0;
    while (at < length && (got = recv(fd, block, sizeof block, 0)) > 0)
        for (ssize_t i = 0; i < got; i++)
            body_arrived &= block[i] == pattern(at++);
    body_arrived &= at == length;
}

static void await_visitor(int fd)
{
    struct pollfd end = {.fd = fd};

    poll(&end, 1, -1);
}

/* Until the other end has taken all that was sent: so it has to make do with that. */
static void await_taken(int fd)
{
    int left;

    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
        usleep(100);
}

static void end_at_once(int fd)
{
    (void)fd;
}

static void end_unread(int fd)
{
    struct pollfd request_there = {.fd = fd, .events = POLLIN};

    poll(&request_there, 1, -1);
}

static void end_after_head(int fd)
{
    take_head(fd);
}

/* With what has come since. */
static void end_within_body(int fd)
{
    take_head(fd);
    end_unread(fd);
}

static void end_after_request(int fd)
{
    take_body(fd, take_head(fd));
}

static void end_for_good(int fd)
{
    take_body(fd, take_head(fd));
    shutdown(listener, SHUT_RDWR);
}

static void say_hello(int fd)
{
    take_body(fd, take_head(fd));
    say(fd, HELLO, strlen(HELLO));
}

/* Takes the comma with the body. */
static void say_hello_to_another_netstring(int fd)
{
    char head[2048];
    size_t length = request.head_length - 1;

    if (recv(fd, head, length, MSG_WAITALL) != (ssize_t)length)
        return;
    while (recv(fd, head, sizeof head, MSG_PEEK) == 1)
        usleep(1000);
    body_arrived = recv(fd, head, 11, MSG_WAITALL) == 11;
    say(fd, HELLO, strlen(HELLO));
}

/* The head must come in one piece: some servers read no further. */
static void say_hello_to_one_piece(int fd)
{
    char piece[2048];

    body_arrived = recv(fd, piece, sizeof piece, 0) == (ssize_t)request.head_length;
    say(fd, HELLO, strlen(HELLO));
}

static void say_split_text(int fd)
{
    size_t split = say_split; /* a visitor who has given up sets the next one */

    take_body(fd, take_head(fd));
    say(fd, say_text, split);
    await_taken(fd);
    say(fd, say_text + split, strlen(say_text) - split);
}

/* One byte, once the one before has been handed out. */
static void say_hello_slowly(int fd)
{
    take_body(fd, take_head(fd));
    say(fd, HELLO, HELLO_HEAD);
    for (const char *at = &HELLO[HELLO_HEAD]; *at != '\0'; at++) {
        sem_wait(&was_read);
        say(fd, at, 1);
    }
}

static void say_hello_and_reset(int fd)
{
    take_head(fd);
    end_unread(fd);
    say(fd, HELLO, strlen(HELLO));
    await_taken(fd);
}

static void say_hello_early(int fd)
{
    take_head(fd);
    say(fd, HELLO, strlen(HELLO));
    await_visitor(fd);
}

static void say_hello_and_refuse(int fd)
{
    char block[4096];

    take_head(fd);
    shutdown(fd, SHUT_RD);
    while (recv(fd, block, sizeof block, 0) > 0)
        ;
    say(fd, HELLO, strlen(HELLO));
    await_visitor(fd);
}

static void say_nothing(int fd)
{
    take_body(fd, take_head(fd));
    await_visitor(fd);
}

static void say_half_a_head(int fd)
{
    say(fd, HELLO, HELLO_HEAD / 2);
    await_visitor(fd);
}

static void take_nothing(int fd)
{
    await_visitor(fd);
}

static void hang_up(int fd)
{
    take_body(fd, take_head(fd));
    close(other_end);
    await_visitor(fd);
}

static void say_head_without_end(int fd)
{
    static const char line[] = "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";

    take_body(fd, take_head(fd));
    while (send(fd, line, sizeof line - 1, MSG_NOSIGNAL) > 0)
        ;
}

static void echo(int fd)
{
    static char block[65536];
    long long left = take_head(fd);
    ssize_t got;

    say(fd, "Status: 200\n\n", 13);
    for (; left > 0 && (got = recv(fd, block, sizeof block, 0)) > 0; left -= got)
        say(fd, block, (size_t)got);
}

/* The visitor's body comes through a pipe, in two pieces: each later than response-timeout. */
static void feed(int fd)
{
    long long length = take_head(fd);
    char bytes[100];

    for (int i = 0; i < (int)sizeof bytes; i++)
        bytes[i] = pattern(i);
    for (int i = 0; i < 2; i++) {
        usleep(1200000);
        if (write(other_end, bytes + 50 * i, 50) != 50)
            break;
    }
    take_body(fd, length);
    say(fd, HELLO, strlen(HELLO));
}

static void *serve(void *context)
{
    act **next = acts;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        (*next)(fd);
        close(fd);
        if (next[1] != NULL)
            next++;
    }
    return context;
}

/* ---- the visitor ---- */

static void begin(void)
{
    descriptors = unit_descriptors();
    serving = body_arrived = false;
    front.visitor = exchange.fd = -1;
    app = unit_app("socket = ./s\nresponse-timeout = 30s\n");
    memset(&source, 0, sizeof source);
    sem_init(&was_read, 0, 0);
}

/* As long a head as a web server makes: while a small one is unread, Linux may call its socket writable. */
static void encode(const char *method, long long length)
{
    char padding[1000];

    memset(padding, 'x', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    lazy_request_begin(&request, storage, sizeof storage, length);
    lazy_request_add(&request, "REQUEST_METHOD", 14, method);
    lazy_request_add(&request, "PADDING", 7, padding);
    ck_assert_int_eq(lazy_request_end(&request), 0);
}

static void send_request(const char *method, long long length)
{
    reply_length = 0;
    encode(method, length);
    source.position = 0;
    source.available = length;
    body = (struct lazy_body){.length = length, .fd = -1, .read = read_source,
                              .buffer = pieces, .size = sizeof pieces};
    ck_assert_int_eq(lazy_exchange_begin(&exchange, app, &front, &error), 0);
    lazy_exchange_send(&exchange, &request, &body);
}

/* Sends a request to a server that does `list`. */
static void ask(act *const *list, const char *method, long long length)
{
    int count = 0;

    do
        acts[count] = list[count];
    while (list[count++] != NULL);
    listener = unit_listen(app->socket, 16);
    serving = pthread_create(&server, NULL, serve, NULL) == 0;
    send_request(method, length);
}

static ssize_t read_some(void)
{
    ssize_t got;

    while ((got = lazy_exchange_read(&exchange, reply + reply_length, sizeof reply - reply_length,
                                     &error)) == LAZY_EXCHANGE_LATER)
        if (lazy_exchange_wait(&exchange, &error) < 0)
            return -1;
    reply_length += got > 0 ? (size_t)got : 0;
    return got;
}

static ssize_t read_all(void)
{
    ssize_t got;

    while ((got = read_some()) > 0)
        ;
    return got;
}

static void end(void)
{
    lazy_exchange_end(&exchange);
    if (serving) {
        shutdown(listener, SHUT_RDWR);
        sem_post(&was_read);
        pthread_join(server, NULL);
        close(listener);
    }
    sem_destroy(&was_read);
    ck_assert_int_eq(unit_descriptors(), descriptors);
}

static void expect_reply(const char *text)
{
    ck_assert_msg(read_all() == 0, "%s", error.sentence);
    ck_assert_uint_eq(reply_length, strlen(text));
    ck_assert_mem_eq(reply, text, reply_length);
}

static void expect_failure(enum lazy_failure failure)
{
    ck_assert_int_eq(read_all(), -1);
    ck_assert_msg(error.failure == failure, "%d: %s", error.failure, error.sentence);
}

#define ACTS(...) (act *const[]){__VA_ARGS__, NULL}

START_TEST(a_request_and_its_reply)
{
    ask(ACTS(say_hello_to_one_piece), "GET", 0);
    expect_reply(HELLO);
    ck_assert(body_arrived);
    ck_assert(lazy_exchange_body_done(&exchange));
    ck_assert(!exchange.upload.reset);
}
END_TEST

static const struct {
    const char *sent, *handed_out; /* NULL: not CGI */
} replies[] = {
    {HELLO, HELLO},
    {"Content-Type: a/b\n\n", "Content-Type: a/b\n\n"},
    {"HTTP/1.1 404 No\r\nA: b\r\n\r\nx\r\n\r\n", "Status: 404 No\r\nA: b\r\n\r\nx\r\n\r\n"},
    {"garbage\n", NULL},
    {"<html><p>x</html>", NULL},
    {"\x16\x03\x01\x02", NULL},
    {"\r\n\r\nbody", NULL},
    {"Status: 200 OK\r\nno field\r\n\r\n", NULL},
    {"Status: 200 OK\r\nX: ended inside the head\r\n", NULL},
    {"S", NULL},
};

START_TEST(replies_split_anywhere)
{
    say_text = replies[_i].sent;
    say_split = 0;
    ask(ACTS(say_split_text), "POST", 3);
    for (;;) {
        if (replies[_i].handed_out != NULL)
            expect_reply(replies[_i].handed_out);
        else
            expect_failure(LAZY_NOT_CGI);
        lazy_exchange_end(&exchange);
        if (say_split == strlen(say_text))
            break;
        say_split++;
        send_request("POST", 3);
    }
}
END_TEST

START_TEST(an_endless_head)
{
    ask(ACTS(say_head_without_end), "GET", 0);
    expect_failure(LAZY_NOT_CGI);
}
END_TEST

/* What the server flushes is handed out at once. */
START_TEST(what_is_flushed_comes_at_once)
{
    ask(ACTS(say_hello_slowly), "GET", 0);
    ck_assert_int_eq(read_some(), HELLO_HEAD);
    for (int i = 0; i < 5; i++) {
        sem_post(&was_read);
        ck_assert_int_eq(read_some(), 1);
    }
    expect_reply(HELLO);
}
END_TEST

START_TEST(a_reset_ends_a_reply)
{
    ask(ACTS(say_hello_and_reset), "POST", 10);
    expect_reply(HELLO);
    ck_assert(exchange.upload.reset);
}
END_TEST

static const struct {
    const char *method;
    long long length;
    bool can_rewind;
    enum lazy_failure failure;
    int unseen, replays;
    act *acts[4];
} replays[] = {
    {"GET", 0, false, LAZY_OK, 0, 1, {end_after_request, say_hello}},
    {"GET", 0, false, LAZY_CLOSED, 0, 1, {end_after_request}},
    {"DELETE", 0, false, LAZY_OK, 0, 1, {end_after_request, say_hello}},
    {"POST", 0, false, LAZY_CLOSED, 0, 0, {end_after_request}},
    {"POST", 10, true, LAZY_CLOSED, 0, 0, {end_after_request}},
    {"PUT", 10, false, LAZY_OK, 0, 1, {end_after_request, say_hello}},
    {"PUT", 65536, false, LAZY_OK, 0, 1, {end_after_request, say_hello}},
    {"PUT", 65537, false, LAZY_CLOSED, 0, 0, {end_after_request}},
    {"PUT", 200000, true, LAZY_OK, 0, 1, {end_after_request, say_hello}},
    {"GET", 0, false, LAZY_UNREACHABLE, 0, 1, {end_for_good}},
    /* who has read the head may have acted on it */
    {"POST", 10, true, LAZY_CLOSED, 0, 0, {end_after_head}},
    {"POST", 10, true, LAZY_CLOSED, 0, 0, {end_within_body}},
    {"PUT", 10, false, LAZY_OK, 0, 1, {end_within_body, say_hello}},
    /* left in the queue of a server that ends: maybe the next one is about to end, too */
    {"GET", 0, false, LAZY_OK, 1, 0, {end_unread, say_hello}},
    {"GET", 0, false, LAZY_OK, 2, 1, {end_unread, end_after_request, end_unread, say_hello}},
    {"GET", 0, false, LAZY_CLOSED, 10, 0, {end_unread}},
    {"POST", 0, false, LAZY_OK, 1, 0, {end_unread, say_hello}},
    {"POST", 10, false, LAZY_OK, 1, 0, {end_unread, say_hello}},
    {"POST", 200000, false, LAZY_OK, 2, 0, {end_unread, end_unread, say_hello}},
    {"POST", 10, false, LAZY_CLOSED, 1, 0, {end_unread, end_after_head}},
    {"PUT", 200000, false, LAZY_OK, 1, 0, {end_unread, say_hello}},
};

START_TEST(a_request_is_sent_once_more_when_that_is_safe)
{
    ask(replays[_i].acts, replays[_i].method, replays[_i].length);
    if (replays[_i].can_rewind)
        body.rewind = rewind_source;
    if (replays[_i].failure == LAZY_OK)
        expect_reply(HELLO);
    else
        expect_failure(replays[_i].failure);
    ck_assert_int_eq(exchange.unseen, replays[_i].unseen);
    ck_assert_int_eq(exchange.replays, replays[_i].replays);
    ck_assert_int_eq(source.rewinds, replays[_i].can_rewind && replays[_i].failure == LAZY_OK);
    if (replays[_i].failure == LAZY_OK)
        ck_assert(body_arrived);
}
END_TEST

/* What no server can have seen is sent again, whatever it is; but not for ever. */
START_TEST(what_nobody_can_have_seen_is_sent_again)
{
    struct pollfd end = {.events = POLLIN};

    ask(ACTS(end_at_once, say_hello), "POST", 10);
    end.fd = exchange.fd;
    ck_assert_int_eq(poll(&end, 1, 20000), 1);
    if (_i == 0) {
        expect_reply(HELLO);
        ck_assert(body_arrived);
        ck_assert_int_eq(exchange.unseen, 1);
    } else {
        exchange.unseen = 10;
        expect_failure(LAZY_CLOSED);
    }
}
END_TEST

/* The body waits for the head to be read, but not for ever. */
START_TEST(a_head_that_is_not_all_read)
{
    app->settings.response_timeout = 1000;
    ask(ACTS(say_hello_to_another_netstring), "POST", 10);
    expect_reply(HELLO);
    ck_assert(body_arrived);
    ck_assert_int_eq(exchange.unseen + exchange.replays, 0);
}
END_TEST

static act *const silent[] = {say_nothing, take_nothing};

START_TEST(a_silent_server)
{
    app->settings.response_timeout = 100;
    ask(ACTS(silent[_i]), "POST", _i == 0 ? 10 : 4 * MIB);
    expect_failure(LAZY_SILENT);
    ck_assert_int_eq(exchange.replays, 0);
}
END_TEST

/* An answer ends the row; a head that has begun is an answer of a kind, and none. */
START_TEST(silent_servers_are_counted)
{
    static act *const list[] = {say_nothing, say_half_a_head, say_hello, say_nothing, say_nothing, NULL};
    static const char *const counted[] = {".", ".", "", ".", ".."};

    app = unit_app("socket = ./s\nstate-dir = state\nstart = true\nhang-limit = 9\n"
                   "response-timeout = 100ms\n");
    for (int i = 0; i < 5; i++) {
        if (i == 0)
            ask(list, "GET", 0);
        else
            send_request("GET", 0);
        if (list[i] == say_hello)
            expect_reply(HELLO);
        else
            expect_failure(LAZY_SILENT);
        lazy_exchange_end(&exchange);
        ck_assert_str_eq(unit_read("state/app.cgi.silence"), counted[i]);
    }
}
END_TEST

START_TEST(a_reply_before_the_body)
{
    ask(ACTS(say_hello_early), "POST", 4 * MIB);
    while (reply_length < strlen(HELLO))
        ck_assert_int_gt(read_some(), 0);
    ck_assert_mem_eq(reply, HELLO, strlen(HELLO));
    ck_assert(!lazy_exchange_body_done(&exchange));
    ck_assert_int_lt(source.position, 4 * MIB);
}
END_TEST

START_TEST(a_body_refused)
{
    ask(ACTS(say_hello_and_refuse), "POST", 4 * MIB);
    while (reply_length < strlen(HELLO))
        ck_assert_int_gt(read_some(), 0);
    ck_assert_mem_eq(reply, HELLO, strlen(HELLO));
    while (!lazy_exchange_body_done(&exchange)) /* the reply may come before the refusal is met */
        ck_assert_int_eq(lazy_exchange_wait(&exchange, &error), 0);
    ck_assert_int_lt(source.position, 4 * MIB);
}
END_TEST

START_TEST(an_echo_while_reading)
{
    ask(ACTS(echo), "POST", 4 * MIB);
    ck_assert_int_eq(read_all(), 0);
    ck_assert_uint_eq(reply_length, 4 * MIB + 13);
    for (long long i = 0; i < 4 * MIB; i++)
        if (reply[13 + i] != pattern(i))
            ck_abort_msg("byte %lld differs", i);
    ck_assert(lazy_exchange_body_done(&exchange));
}
END_TEST

START_TEST(a_slow_visitor_is_no_silent_server)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    other_end = ends[1];
    app->settings.response_timeout = 1000;
    ask(ACTS(feed), "POST", 100);
    body.read = read_pipe;
    body.fd = ends[0];
    body.context = &ends[0];
    expect_reply(HELLO);
    ck_assert(body_arrived);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static const int read_errors[] = {0, EIO};

START_TEST(a_body_that_ends_early)
{
    ask(ACTS(say_nothing), "POST", 10);
    source.available = 9;
    source.errnum = read_errors[_i];
    expect_failure(LAZY_VISITOR_GONE);
}
END_TEST

START_TEST(a_visitor_hangs_up)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    front.visitor = ends[0];
    other_end = ends[1];
    ask(ACTS(hang_up), "POST", 10);
    expect_failure(LAZY_VISITOR_GONE);
    close(ends[0]);
}
END_TEST

/* ---- bodies that are tried first ---- */

static int eager_pipe[2];

static ssize_t read_eager(void *context, char *buffer, size_t size)
{
    (void)context;
    return recv(eager_pipe[0], buffer, size, MSG_DONTWAIT);
}

/* In three pieces, each sent when the one before was taken. */
static void *feed_eager(void *context)
{
    for (int i = 0; i < 3; i++) {
        struct pollfd taken = {.fd = eager_pipe[1], .events = POLLOUT};
        char bytes[10];

        for (int j = 0; j < 10; j++)
            bytes[j] = pattern(10 * i + j);
        poll(&taken, 1, -1);
        usleep(20000); /* so that the body is dry at least once; nothing depends on it */
        if (send(eager_pipe[1], bytes, sizeof bytes, MSG_NOSIGNAL) != sizeof bytes)
            break;
    }
    return context;
}

/* Whether or not a descriptor tells when there is more. */
START_TEST(eager_bodies)
{
    pthread_t feeder;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, eager_pipe), 0);
    ask(ACTS(say_hello), "POST", 30);
    body = (struct lazy_body){.length = 30, .fd = _i == 0 ? eager_pipe[0] : -1, .is_eager = true,
                              .read = read_eager, .buffer = pieces, .size = sizeof pieces};
    ck_assert_int_eq(pthread_create(&feeder, NULL, feed_eager, NULL), 0);
    expect_reply(HELLO);
    ck_assert(body_arrived);
    pthread_join(feeder, NULL);
    close(eager_pipe[0]);
    close(eager_pipe[1]);
}
END_TEST

/* ---- visitors whom no descriptor shows ---- */

static int times_asked;

static bool leaves_at_third(void *context)
{
    (void)context;
    return ++times_asked == 3;
}

static bool stays(void *context)
{
    (void)context;
    times_asked++;
    return false;
}

START_TEST(a_visitor_who_is_asked_leaves)
{
    front.is_gone = leaves_at_third;
    times_asked = 0;
    ask(ACTS(await_visitor), "GET", 0);
    expect_failure(LAZY_VISITOR_GONE);
    ck_assert_int_eq(times_asked, 3);
    front.is_gone = NULL;
}
END_TEST

/* Short naps add up. */
START_TEST(a_silence_is_as_long_as_ever)
{
    long long begin = lazy_now();

    app->settings.response_timeout = 600;
    front.is_gone = stays;
    times_asked = 0;
    ask(ACTS(await_visitor), "GET", 0);
    expect_failure(LAZY_SILENT);
    ck_assert_int_ge(lazy_now() - begin, 600);
    ck_assert_int_ge(times_asked, 2);
    front.is_gone = NULL;
}
END_TEST

/* Of a TCP connection the other end's FIN shows only to who asks for it. */
START_TEST(a_visitor_who_half_closes)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    shutdown(ends[1], SHUT_WR);
    front.visitor = ends[0];
    front.visitor_events = _i == 0 ? 0 : POLLRDHUP;
    ask(ACTS(say_hello), "GET", 0);
    if (_i == 0)
        expect_reply(HELLO);
    else
        expect_failure(LAZY_VISITOR_GONE);
    close(ends[0]);
    close(ends[1]);
    front.visitor_events = 0;
}
END_TEST

/* A server may give up a connection over which nothing has come yet. */
START_TEST(a_connection_that_ends_before_the_request)
{
    listener = unit_listen(app->socket, 16);
    ck_assert_int_eq(lazy_exchange_begin(&exchange, app, &front, &error), 0);
    close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    acts[0] = say_hello;
    acts[1] = NULL;
    encode("POST", 3);
    source.available = 3;
    body = (struct lazy_body){.length = 3, .fd = -1, .read = read_source, .buffer = pieces,
                              .size = sizeof pieces};
    serving = pthread_create(&server, NULL, serve, NULL) == 0;
    lazy_exchange_send(&exchange, &request, &body);
    expect_reply(HELLO);
    ck_assert(body_arrived);
}
END_TEST

START_TEST(no_server)
{
    ck_assert_int_eq(lazy_exchange_begin(&exchange, app, &front, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_UNREACHABLE);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

Suite *exchange_suite(void)
{
    Suite *suite = suite_create("exchange");
    TCase *tcase = unit_case(suite, "exchange");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, a_request_and_its_reply);
    tcase_add_loop_test(tcase, replies_split_anywhere, 0, COUNT(replies));
    tcase_add_test(tcase, an_endless_head);
    tcase_add_test(tcase, what_is_flushed_comes_at_once);
    tcase_add_test(tcase, a_reset_ends_a_reply);
    tcase_add_loop_test(tcase, a_request_is_sent_once_more_when_that_is_safe, 0, COUNT(replays));
    tcase_add_loop_test(tcase, what_nobody_can_have_seen_is_sent_again, 0, 2);
    tcase_add_test(tcase, a_head_that_is_not_all_read);
    tcase_add_loop_test(tcase, a_silent_server, 0, COUNT(silent));
    tcase_add_test(tcase, silent_servers_are_counted);
    tcase_add_test(tcase, a_reply_before_the_body);
    tcase_add_test(tcase, a_body_refused);
    tcase_add_test(tcase, an_echo_while_reading);
    tcase_add_test(tcase, a_slow_visitor_is_no_silent_server);
    tcase_add_loop_test(tcase, a_body_that_ends_early, 0, COUNT(read_errors));
    tcase_add_test(tcase, a_visitor_hangs_up);
    tcase_add_loop_test(tcase, eager_bodies, 0, 2);
    tcase_add_test(tcase, a_visitor_who_is_asked_leaves);
    tcase_add_test(tcase, a_silence_is_as_long_as_ever);
    tcase_add_loop_test(tcase, a_visitor_who_half_closes, 0, 2);
    tcase_add_test(tcase, a_connection_that_ends_before_the_request);
    tcase_add_test(tcase, no_server);
    return suite;
}

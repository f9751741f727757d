#include "unit.h"

#include "core/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define LONG_NAME "/2345678901234567890123456789012345678901234567890" \
                  "12345678901234567890123456789012345678901234567890" /* 100 bytes */

static struct lazy_error error;

static struct lazy_address parse(const char *text)
{
    struct lazy_address address;

    memset(&address, 0x55, sizeof address); /* nothing shall be taken for zero */
    ck_assert_msg(lazy_address_parse(&address, text, &error) == 0, "%s", error.sentence);
    return address;
}

/* One attempt, whose connection is closed again. */
static enum lazy_outcome try_connect(const struct lazy_address *address, int wait)
{
    int fd = -2;
    enum lazy_outcome outcome = lazy_address_connect(address, wait, &fd);
    int errnum = errno;

    ck_assert_msg((fd >= 0) == (outcome == LAZY_UP), "outcome %d with %d", outcome, fd);
    if (fd >= 0) {
        ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(fd);
    }
    errno = errnum;
    return outcome;
}

/* `is`: the path, '@' and the name, or the host and port. */
static const struct {
    const char *text, *is;
} good[] = {
    {"/x", "/x"},
    {"/run/host:80", "/run/host:80"},
    {"unix:/run/app.sock", "/run/app.sock"},
    {"unix:app.sock", "app.sock"},
    {"unix:@x", "@x"},
    {LONG_NAME "1234567", LONG_NAME "1234567"}, /* 107 bytes */
    {"@a/b:1", "@a/b:1"},
    {"127.0.0.1:8123", "127.0.0.1 8123"},
    {"localhost:1", "127.0.0.1 1"},
    {"255.255.255.255:65535", "255.255.255.255 65535"},
    {"[::1]:8123", "::1 8123"},
    {"[0000:0000:0000:0000:0000:ffff:255.255.255.255]:80", "::ffff:255.255.255.255 80"},
};

START_TEST(addresses_are_parsed)
{
    struct lazy_address address = parse(good[_i].text);
    const char *path = address.to.un.sun_path;
    bool has_path = strchr("/u", good[_i].text[0]) != NULL;
    char is[200], host[100], port[10];
    size_t length = address.to.any.sa_family == AF_INET ? sizeof address.to.in
                                                        : sizeof address.to.in6;

    if (address.to.any.sa_family == AF_UNIX) {
        snprintf(is, sizeof is, "%s%s", has_path ? "" : "@", path + !has_path);
        length = offsetof(struct sockaddr_un, sun_path) + strlen(is) + has_path;
    } else {
        ck_assert_int_eq(getnameinfo(&address.to.any, address.length, host, sizeof host, port,
                                     sizeof port, NI_NUMERICHOST | NI_NUMERICSERV), 0);
        snprintf(is, sizeof is, "%s %s", host, port);
    }
    ck_assert_str_eq(is, good[_i].is);
    ck_assert_uint_eq(address.length, length);
    ck_assert_ptr_eq(lazy_address_path(&address), has_path ? path : NULL);
}
END_TEST

#define NEITHER "it is neither a path, @name, host:port nor [v6]:port"
#define PORT "the port must be 1 to 65535"
#define HOST "the host must be a numeric address"
#define NAME "it must end with a name"
#define LENGTH "the system takes at most 107 bytes"

static const struct {
    const char *text, *part;
} bad[] = {
    {"", NEITHER}, {"app.sock", NEITHER}, {"run/app.sock", NEITHER}, {"localhost", NEITHER},
    {"unix:", NAME}, {"/", NAME}, {"/run/", NAME}, {"unix:run/", NAME}, {"@", NAME},
    {LONG_NAME "12345678", LENGTH}, {"unix:" LONG_NAME "12345678", LENGTH},
    {"@" LONG_NAME "1234567", LENGTH}, {"localhost:99999999999999999999", PORT},
    {"localhost:", PORT}, {"localhost:0", PORT}, {"localhost:65536", PORT}, {"localhost:-1", PORT},
    {"localhost: 80", PORT}, {"localhost:80x", PORT}, {"[::1]", PORT}, {"[::1]:", PORT},
    {":80", HOST}, {"example.org:80", HOST}, {"LOCALHOST:80", HOST}, {"127.1:80", HOST},
    {"127.0.0.256:80", HOST}, {"1.2.3.4.5:80", HOST}, {"::1:80", HOST}, {"[]:80", HOST},
    {"[:80", HOST}, {"]:80", HOST}, {"[::1:80", HOST}, {"::1]:80", HOST}, {"[::1]x:80", HOST},
    {"[fe80::1%lo]:80", HOST}, {"[localhost]:80", HOST}, {"[127.0.0.1]:80", HOST},
    {"[00000:0000:0000:0000:0000:ffff:255.255.255.255]:80", HOST},
    {"1234567890123456789012345678901234567890123456:80", HOST},
};

START_TEST(bad_addresses_are_refused)
{
    struct lazy_address address;

    ck_assert_msg(lazy_address_parse(&address, bad[_i].text, &error) == -1, "'%s'", bad[_i].text);
    ck_assert_int_eq(error.failure, LAZY_APP);
    ck_assert_int_eq(strncmp(error.sentence, "'socket' can't be '", 19), 0);
    ck_assert_msg(strstr(error.sentence, bad[_i].part) != NULL, "'%s' is not in '%s'", bad[_i].part,
                  error.sentence);
}
END_TEST

/* -1: there is no such network. Fills in the port that the system chose. */
static int bind_to(struct lazy_address *address)
{
    int fd = socket(address->to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, &address->to.any, address->length) == 0 &&
        getsockname(fd, &address->to.any, &address->length) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

START_TEST(unix_sockets_are_up_or_down)
{
    static const int waits[] = {0, 1000, 0, 1000};
    char name[64];
    struct lazy_address address = parse(unit_path("app.sock"));
    int before = unit_descriptors();

    snprintf(name, sizeof name, "@lazyscgi-unit-%d", (int)getpid());
    if (_i >= 2)
        address = parse(name);
    ck_assert_int_eq(try_connect(&address, waits[_i]), LAZY_DOWN); /* no file */
    for (int again = 0; again < 2; again++) {
        int listener = bind_to(&address);

        ck_assert_int_eq(listen(listener, 5), 0);
        ck_assert_int_eq(try_connect(&address, waits[_i]), LAZY_UP);
        ck_assert(lazy_address_listens(&address, NULL));
        close(listener);
        ck_assert_int_eq(try_connect(&address, waits[_i]), LAZY_DOWN); /* a leftover file */
        ck_assert(!lazy_address_listens(&address, NULL));
        ck_assert_int_eq(unlink("app.sock"), _i < 2 ? 0 : -1);
    }
    ck_assert_int_eq(unit_descriptors(), before);
}
END_TEST

static int fds[8], fd_count;

/* Connects until no more get in. */
static void fill(const struct lazy_address *address)
{
    for (fd_count = 0; fd_count < 8; fd_count++)
        if (lazy_address_connect(address, 0, &fds[fd_count]) != LAZY_UP)
            break;
    ck_assert_int_gt(fd_count, 0);
    ck_assert_int_lt(fd_count, 8);
}

static void empty(int listener)
{
    while (fd_count > 0)
        close(fds[--fd_count]);
    close(listener);
}

/* Meets a full queue, in so many ms. */
static void is_full(const struct lazy_address *address, int wait, int least, int most)
{
    long long begin = lazy_now();

    ck_assert_int_eq(try_connect(address, wait), LAZY_FULL);
    ck_assert_int_ge(lazy_now() - begin, least);
    ck_assert_int_lt(lazy_now() - begin, most);
}

/* A port that is bound but not listened at refuses like a closed one, and nobody else takes it. */
START_TEST(tcp_ports_are_up_down_or_full)
{
    struct lazy_address address = parse(_i == 0 ? "localhost:1" : "[::1]:1");
    int listener;

    *(_i == 0 ? &address.to.in.sin_port : &address.to.in6.sin6_port) = 0; /* the system's choice */
    listener = bind_to(&address);
    if (_i == 1 && listener < 0) {
        fprintf(stderr, "not tested: IPv6, which isn't here\n");
        return;
    }
    ck_assert_int_eq(try_connect(&address, 0), LAZY_DOWN);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(try_connect(&address, 0), LAZY_UP);
    fill(&address);
    is_full(&address, 0, 900, 10000); /* a second at least, says the header */
    empty(listener);
}
END_TEST

static void on_alarm(int number)
{
    (void)number;
}

START_TEST(a_full_unix_queue_is_told)
{
    struct lazy_address address = parse(unit_path("app.sock"));
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval often = {{.tv_usec = 20000}, {.tv_usec = 20000}}, never = {{0}, {0}};
    int listener = unit_listen(unit_path("app.sock"), 1);

    fill(&address);
    is_full(&address, 0, 0, 5000);
    ck_assert(lazy_address_listens(&address, NULL));
    is_full(&address, 50, 40, 5000);
    ck_assert_int_eq(sigaction(SIGALRM, &action, &before), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    is_full(&address, 30000, 0, 20000); /* a signal cuts the wait short */
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &before, NULL), 0);
    close(accept(listener, NULL, NULL));
    ck_assert_int_eq(try_connect(&address, 50), LAZY_UP); /* there is room again */
    empty(listener);
}
END_TEST

static struct lazy_address forbidden;

static bool is_forbidden(void)
{
    return try_connect(&forbidden, 0) == LAZY_LOST && errno == EACCES;
}

START_TEST(what_a_start_would_not_help_is_lost)
{
    static const struct {
        const char *name;
        int errnum;
    } lost[] = {{"file/app.sock", ENOTDIR}, {"loop", ELOOP}, {"other", EPROTOTYPE}};
    struct lazy_address address = parse(unit_path("other"));
    int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    unit_write("file", "", 0600);
    ck_assert_int_eq(symlink("loop", "loop"), 0);
    ck_assert_int_eq(bind(other, &address.to.any, address.length), 0);
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        address = parse(unit_path(lost[i].name));
        ck_assert_int_eq(try_connect(&address, i % 2 * 50), LAZY_LOST);
        ck_assert_int_eq(errno, lost[i].errnum);
    }
    close(other);
    address = parse("224.0.0.1:9"); /* multicast: no network has a TCP server there */
    ck_assert_int_eq(try_connect(&address, 0), LAZY_LOST);
    forbidden = parse(unit_path("app.sock"));
    other = unit_listen(unit_path("app.sock"), 5);
    ck_assert_int_eq(chmod("app.sock", 0), 0);
    ck_assert(unit_as_user(is_forbidden));
    close(other);
}
END_TEST

START_TEST(peers_of_unix_sockets_are_known)
{
    const char *path = unit_path("app.sock");
    struct lazy_address address = parse(path);
    int listener = unit_listen(path, 5), fd;
    uid_t user = 12345;
    pid_t pid = 12345;

    ck_assert_int_eq(lazy_address_connect(&address, 0, &fd), LAZY_UP);
    ck_assert_int_eq(lazy_address_peer(&address, fd, &user, &pid), 1);
    ck_assert(user == geteuid() && pid == getpid());
    close(fd);
    close(listener);
    ck_assert_int_eq(lazy_address_peer(&address, -1, &user, &pid), 1); /* can't be asked */
    ck_assert(user == (uid_t)-1 && pid == 0);
    address = parse("localhost:80");
    ck_assert_int_eq(lazy_address_peer(&address, -1, &user, &pid), 0);
}
END_TEST

Suite *address_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *tcase = unit_case(suite, "address");

    tcase_add_loop_test(tcase, addresses_are_parsed, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, bad_addresses_are_refused, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(tcase, unix_sockets_are_up_or_down, 0, 4);
    tcase_add_loop_test(tcase, tcp_ports_are_up_down_or_full, 0, 2);
    tcase_add_test(tcase, a_full_unix_queue_is_told);
    tcase_add_test(tcase, what_a_start_would_not_help_is_lost);
    tcase_add_test(tcase, peers_of_unix_sockets_are_known);
    return suite;
}

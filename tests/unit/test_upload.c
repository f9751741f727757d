#include "unit.h"

#include "core/upload.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct lazy_upload upload;
static struct lazy_request request;
static struct lazy_body body;
static struct lazy_error error;
static char storage[512], pieces[8];
static const char *text; /* the body that is to be read */
static int ends[2];      /* ours, the server's */

static ssize_t read_text(void *context, char *buffer, size_t size)
{
    size_t left = strlen(text);

    (void)context;
    if (left == 0)
        errno = EAGAIN;
    if (*text == '!') {
        errno = EIO;
        return -1;
    }
    if (left > size)
        left = size;
    memcpy(buffer, text, left);
    text += left;
    return left > 0 ? (ssize_t)left : -1;
}

static void rewind_text(void *context)
{
    (void)context;
    text = "abcdefghij";
}

static void begin(const char *method, bool is_local)
{
    char padding[300];

    memset(padding, 'p', sizeof padding - 1); /* as long as any real head */
    padding[sizeof padding - 1] = '\0';
    rewind_text(NULL);
    lazy_request_begin(&request, storage, sizeof storage, 10);
    lazy_request_add(&request, "REQUEST_METHOD", 14, method);
    lazy_request_add(&request, "PADDING", 7, padding);
    ck_assert_int_eq(lazy_request_end(&request), 0);
    body = (struct lazy_body){.length = 10, .fd = -1, .read = read_text, .buffer = pieces,
                              .size = sizeof pieces};
    lazy_upload_begin(&upload, &request, &body, is_local);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void end(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* What the server has got by now. */
static const char *taken(void)
{
    static char bytes[600];
    ssize_t got = recv(ends[1], bytes, sizeof bytes - 1, MSG_DONTWAIT);

    bytes[got > 0 ? got : 0] = '\0';
    return got > (ssize_t)request.head_length ? bytes + request.head_length : bytes;
}

static bool is_writable(void)
{
    struct pollfd ours = {.fd = ends[0], .events = POLLOUT};

    return poll(&ours, 1, 0) == 1;
}

START_TEST(the_body_follows_its_head)
{
    begin("POST", false);
    ck_assert(lazy_upload_has_unsent(&upload) && lazy_upload_wants_body(&upload));
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), 1);
    ck_assert(!lazy_upload_wants_body(&upload)); /* the buffer is full */
    lazy_upload_push(&upload, ends[0]);
    ck_assert_str_eq(taken(), "abcdefgh");
    ck_assert(!lazy_upload_is_done(&upload) && !upload.in_hand);
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), 1);
    lazy_upload_push(&upload, ends[0]);
    ck_assert_str_eq(taken(), "ij");
    ck_assert(lazy_upload_is_done(&upload));
    end();
}
END_TEST

/* So that a reset tells that nobody can have acted on the request. */
START_TEST(at_a_unix_socket_the_body_waits_until_the_head_was_read)
{
    begin("POST", true);
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), 1);
    lazy_upload_push(&upload, ends[0]);
    ck_assert(upload.holds && upload.sent == 0 && !is_writable());
    ck_assert_int_eq(strncmp(taken(), "3", 1), 0); /* the head alone */
    ck_assert(is_writable());
    lazy_upload_release(&upload, ends[0]);
    lazy_upload_push(&upload, ends[0]);
    ck_assert_int_eq(upload.filled, 0);
    end();
}
END_TEST

START_TEST(a_dry_body_and_a_broken_one)
{
    begin("POST", false);
    text = "";
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), 0);
    ck_assert(upload.is_dry);
    text = "!";
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_VISITOR_GONE);
    body.rewind = rewind_text;
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_SPOOL);
    end();
}
END_TEST

START_TEST(who_has_closed_refuses)
{
    begin("POST", false);
    close(ends[1]);
    lazy_upload_push(&upload, ends[0]);
    ck_assert(upload.refused && lazy_upload_is_done(&upload) && !lazy_upload_has_unsent(&upload));
    ck_assert(lazy_upload_is_unseen(&upload));
    ends[1] = dup(ends[0]);
    end();
}
END_TEST

START_TEST(what_can_be_sent_again)
{
    static const struct {
        const char *method;
        bool is_local, reset, has_rewind, is_unseen, is_repeatable;
    } cases[] = {
        {"GET", true, false, false, false, true}, {"GET", true, true, false, true, true},
        {"GET", false, true, false, true, true},  {"POST", true, true, false, true, false},
        {"POST", false, true, true, false, false}, {"POST", true, false, true, false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].method, cases[i].is_local);
        lazy_upload_push(&upload, ends[0]);
        upload.reset = cases[i].reset;
        ck_assert_int_eq(lazy_upload_is_unseen(&upload), cases[i].is_unseen);
        ck_assert_int_eq(lazy_upload_is_repeatable(&upload), cases[i].is_repeatable);
        end();
    }
}
END_TEST

START_TEST(a_rewound_upload_is_as_new)
{
    begin("PUT", false);
    body.rewind = rewind_text;
    lazy_upload_fill(&upload, &error);
    lazy_upload_push(&upload, ends[0]);
    taken();
    ck_assert(!upload.in_hand && lazy_upload_is_repeatable(&upload));
    lazy_upload_rewind(&upload);
    ck_assert_int_eq(lazy_upload_fill(&upload, &error), 1);
    lazy_upload_push(&upload, ends[0]);
    ck_assert_str_eq(taken(), "abcdefgh");
    end();
}
END_TEST

Suite *upload_suite(void)
{
    Suite *suite = suite_create("upload");
    TCase *tcase = unit_case(suite, "upload");

    tcase_add_test(tcase, the_body_follows_its_head);
    tcase_add_test(tcase, at_a_unix_socket_the_body_waits_until_the_head_was_read);
    tcase_add_test(tcase, a_dry_body_and_a_broken_one);
    tcase_add_test(tcase, who_has_closed_refuses);
    tcase_add_test(tcase, what_can_be_sent_again);
    tcase_add_test(tcase, a_rewound_upload_is_as_new);
    return suite;
}

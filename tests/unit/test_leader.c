#include "unit.h"

#include "core/deadline.h"
#include "core/leader.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct lazy_error error;
static char noticed[LAZY_SENTENCE_SIZE];

static int failures;

static void note(void *context, enum lazy_event event, int ms, const char *sentence)
{
    (void)context, (void)ms;
    if (event == LAZY_EVENT_NOTICE)
        strcpy(noticed, sentence);
    failures += event == LAZY_EVENT_FAILED;
}

static const struct lazy_front front = {.visitor = -1, .event = note};
static struct lazy_attempt attempt;
static int link_ends[2]; /* the leader's, the starter's */

static void open_link(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link_ends), 0);
}

static void close_link(void)
{
    close(link_ends[0]);
    if (link_ends[1] >= 0)
        close(link_ends[1]);
}

static void begin(const char *text)
{
    const struct lazy_app *app = unit_app(text);

    noticed[0] = '\0';
    failures = 0;
    attempt = (struct lazy_attempt){.app = app, .front = &front, .error = &error,
                                    .fd = -1, .folder = -1, .bell = -1};
    attempt.deadline = lazy_now() + app->settings.patience;
    open_link();
}

static void say(enum lazy_failure failure, const char *sentence)
{
    struct lazy_error message = {.failure = LAZY_OK};

    lazy_error_set(&message, failure, 0, "%s", sentence);
    ck_assert_int_eq(send(link_ends[1], &message, sizeof message, 0), sizeof message);
}

static void hang_up(void)
{
    close(link_ends[1]);
    link_ends[1] = -1;
}

static bool was_told_up(void)
{
    pid_t server = 0;

    return recv(link_ends[1], &server, sizeof server, MSG_DONTWAIT) == sizeof server &&
           server == getpid(); /* a thread of ours listens */
}

START_TEST(a_failure_is_handed_on)
{
    begin("socket = ./x.sock\nstart = true\n");
    say(LAZY_OK, "");
    say(LAZY_START, "it failed so");
    ck_assert_int_eq(lazy_leader_lead(&attempt, link_ends[0]), LAZY_ATTEMPT_FAILED);
    ck_assert_int_eq(error.failure, LAZY_START);
    ck_assert_int_eq(failures, 1);
    ck_assert_str_eq(error.sentence, "it failed so");
    close_link();
}
END_TEST

/* Before the word, whoever listens may be the old server, about to be stopped. */
START_TEST(no_probing_before_the_word)
{
    int listener;

    begin("socket = ./x.sock\nstart = true\npatience = 50ms\n");
    listener = unit_listen("x.sock", 5);
    ck_assert_int_eq(lazy_leader_lead(&attempt, link_ends[0]), LAZY_ATTEMPT_FAILED);
    ck_assert_int_eq(error.failure, LAZY_PATIENCE);
    ck_assert(!was_told_up());
    close(listener);
    close_link();
}
END_TEST

static void *listen_later(void *listener)
{
    usleep(20000);
    *(int *)listener = unit_listen("x.sock", 5);
    return NULL;
}

START_TEST(meets_the_server)
{
    int listener, connection;
    pthread_t server;

    begin("socket = ./x.sock\nstart = true\n");
    say(LAZY_OK, "");
    ck_assert_int_eq(pthread_create(&server, NULL, listen_later, &listener), 0);
    ck_assert_int_eq(lazy_leader_lead(&attempt, link_ends[0]), LAZY_CONNECTED);
    pthread_join(server, NULL);
    ck_assert_int_ge(attempt.fd, 0);
    ck_assert(was_told_up());
    connection = accept(listener, NULL, NULL); /* one, and no probe before it */
    ck_assert_int_ge(connection, 0);
    close(connection);
    lazy_attempt_drop(&attempt);
    close(listener);
    close_link();
}
END_TEST

START_TEST(a_killed_starter_is_followed_by_others_but_not_for_ever)
{
    begin("socket = ./x.sock\nstart = true\n");
    for (int i = 0; i < 2; i++) {
        hang_up();
        ck_assert_int_eq(lazy_leader_lead(&attempt, link_ends[0]), LAZY_LOOK_AGAIN);
        close_link();
        open_link();
    }
    hang_up();
    ck_assert_int_eq(lazy_leader_lead(&attempt, link_ends[0]), LAZY_ATTEMPT_FAILED);
    ck_assert_int_eq(error.failure, LAZY_START);
    ck_assert_int_gt(error.retry_after, 0);
    close_link();
}
END_TEST

START_TEST(a_notice_is_logged_and_no_death)
{
    begin("socket = ./x.sock\nstart = true\n");
    say(LAZY_OK, "by the way");
    hang_up();
    ck_assert_int_eq(lazy_leader_lead(&attempt, link_ends[0]), LAZY_LOOK_AGAIN);
    ck_assert_str_eq(noticed, "by the way");
    ck_assert_int_eq(attempt.lost_starters, 0);
    close_link();
}
END_TEST

Suite *leader_suite(void)
{
    Suite *suite = suite_create("leader");
    TCase *tcase = unit_case(suite, "leader");

    tcase_add_test(tcase, a_failure_is_handed_on);
    tcase_add_test(tcase, no_probing_before_the_word);
    tcase_add_test(tcase, meets_the_server);
    tcase_add_test(tcase, a_killed_starter_is_followed_by_others_but_not_for_ever);
    tcase_add_test(tcase, a_notice_is_logged_and_no_death);
    return suite;
}

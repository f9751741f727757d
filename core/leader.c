#include "leader.h"

#include "deadline.h"

#include <stdbool.h>
#include <sys/socket.h>

#define PROBE_STEP_MS 4
#define LOST_STARTERS_MAX 3

enum word { WORD_NONE, WORD_BEGIN, WORD_NOTICE, WORD_FAILURE, WORD_END };

static enum word hear(struct lazy_attempt *attempt, int link)
{
    struct lazy_error message;

    if (recv(link, &message, sizeof message, MSG_DONTWAIT) != sizeof message)
        return WORD_END;
    if (message.failure != LAZY_OK) {
        *attempt->error = message;
        lazy_front_tell(attempt->front, LAZY_EVENT_FAILED, 0, NULL);
        return WORD_FAILURE;
    }
    if (message.sentence[0] == '\0')
        return WORD_BEGIN;
    lazy_front_tell(attempt->front, LAZY_EVENT_NOTICE, 0, message.sentence);
    return WORD_NOTICE;
}

/* A starter that ends without a word was killed; somebody else may have a try, but not for ever. */
static enum lazy_progress lost_starter(struct lazy_attempt *attempt)
{
    if (++attempt->lost_starters < LOST_STARTERS_MAX)
        return LAZY_LOOK_AGAIN;
    lazy_error_set(attempt->error, LAZY_START, 0,
                   "the process that watches the start was killed again and again");
    attempt->error->retry_after = 1;
    return LAZY_ATTEMPT_FAILED;
}

/* To the starter and to the front: the server is there. */
static void tell_up(struct lazy_attempt *attempt, int link, long long since)
{
    pid_t server = 0;
    uid_t user;

    if (attempt->fd >= 0)
        lazy_address_peer(&attempt->app->address, attempt->fd, &user, &server);
    send(link, &server, sizeof server, MSG_NOSIGNAL | MSG_DONTWAIT);
    lazy_front_tell(attempt->front, LAZY_EVENT_UP, (int)(lazy_now() - since), NULL);
}

static int next_sleep(const struct lazy_attempt *attempt, bool probing, long long since)
{
    int left = lazy_deadline_left(attempt->deadline);
    /* all others wait for us: so our steps stay short for sixteen times as long as theirs */
    int step = probing ? lazy_step((lazy_now() - since) / 16, PROBE_STEP_MS) : left;

    return step < left ? step : left;
}

enum lazy_progress lazy_leader_lead(struct lazy_attempt *attempt, int link)
{
    bool probing = false, noticed = false;
    long long since = lazy_now();

    while (lazy_deadline_left(attempt->deadline) > 0) {
        int ready = lazy_attempt_sleep(attempt, link, next_sleep(attempt, probing, since));
        enum word word = ready > 0 ? hear(attempt, link) : WORD_NONE;

        if (ready < 0 || word == WORD_FAILURE)
            return LAZY_ATTEMPT_FAILED;
        if (word == WORD_END)
            return noticed ? LAZY_LOOK_AGAIN : lost_starter(attempt);
        noticed |= word == WORD_NOTICE;
        probing |= word == WORD_BEGIN;
        if (!probing)
            continue;
        switch (lazy_attempt_reach(attempt, 0)) {
        case LAZY_DOWN:
            continue;
        case LAZY_LOST:
            return LAZY_ATTEMPT_FAILED;
        case LAZY_UP:
            tell_up(attempt, link, since);
            return LAZY_CONNECTED;
        case LAZY_FULL:
            tell_up(attempt, link, since);
            return LAZY_LOOK_AGAIN;
        }
    }
    return lazy_attempt_out_of_patience(attempt);
}

#include "unit.h"

#include "core/due.h"

#include <string.h>
#include <time.h>

static struct lazy_state state_of(const struct lazy_app *app, enum lazy_state_outcome outcome)
{
    struct lazy_state state = {.outcome = outcome};

    strcpy(state.stamp, app->stamp.text);
    return state;
}

static const enum lazy_state_outcome outcomes[] = {LAZY_STATE_NONE, LAZY_STATE_STARTING, LAZY_STATE_UP,
                                                   LAZY_STATE_FAILED, LAZY_STATE_STOPPING};

START_TEST(an_untouched_app_is_left_alone)
{
    const struct lazy_app *app = unit_app("start = true\n");

    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct lazy_state state = state_of(app, outcomes[i]);

        ck_assert_int_eq(lazy_due_restart(app, &state), outcomes[i] == LAZY_STATE_STOPPING);
    }
}
END_TEST

START_TEST(a_touched_app_is_restarted)
{
    const struct lazy_app *app = unit_app("start = true\n");

    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        struct lazy_state state = state_of(app, outcomes[i]);

        strcpy(state.stamp, "another");
        ck_assert_int_eq(lazy_due_restart(app, &state), outcomes[i] != LAZY_STATE_NONE &&
                                                            outcomes[i] != LAZY_STATE_FAILED);
    }
}
END_TEST

/* A slow request that has read the file before it was touched must not stop the new server. */
START_TEST(who_read_an_older_file_does_not_decide)
{
    const struct lazy_app *app = unit_app("start = true\n");
    struct lazy_state state = state_of(app, LAZY_STATE_UP);

    unit_write("app.cgi", "start = false # longer\n", 0755);
    strcpy(state.stamp, "that of the new file");
    ck_assert(!lazy_due_restart(app, &state));
}
END_TEST

START_TEST(pauses_double_up_to_a_minute)
{
    static const int pauses[] = {0, 1, 2, 4, 8, 16, 32, 60, 60};

    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(lazy_due_pause(i), pauses[i]);
    ck_assert_int_eq(lazy_due_pause(1LL << 60), LAZY_BACK_OFF_MAX_S);
    ck_assert_int_eq(lazy_due_pause(-1), 0);
}
END_TEST

START_TEST(a_failed_start_is_due_later)
{
    const struct lazy_app *app = unit_app("start = true\n");
    long long now = time(NULL);
    const struct {
        long long next_start;
        bool later;
    } cases[] = {{now - 5, false}, {now, false}, {now + 30, true}, {now + 61, true},
                 {now + 3600, false} /* the clock was set back */};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lazy_state state = state_of(app, LAZY_STATE_FAILED);

        state.next_start = cases[i].next_start;
        ck_assert_msg(lazy_due_later(app, &state) == cases[i].later, "case %zu", i);
        state.outcome = LAZY_STATE_UP;
        ck_assert(!lazy_due_later(app, &state));
        state.outcome = LAZY_STATE_FAILED;
        strcpy(state.stamp, "another"); /* touching ends the pause */
        ck_assert(!lazy_due_later(app, &state));
    }
}
END_TEST

Suite *due_suite(void)
{
    Suite *suite = suite_create("due");
    TCase *tcase = unit_case(suite, "due");

    tcase_add_test(tcase, an_untouched_app_is_left_alone);
    tcase_add_test(tcase, a_touched_app_is_restarted);
    tcase_add_test(tcase, who_read_an_older_file_does_not_decide);
    tcase_add_test(tcase, pauses_double_up_to_a_minute);
    tcase_add_test(tcase, a_failed_start_is_due_later);
    return suite;
}

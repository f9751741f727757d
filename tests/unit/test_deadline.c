#include "unit.h"

#include "core/deadline.h"

#include <limits.h>
#include <unistd.h>

START_TEST(time_left)
{
    long long now = lazy_now();

    ck_assert_int_eq(lazy_deadline_left(now - 1), 0);
    ck_assert_int_eq(lazy_deadline_left(LLONG_MIN / 2), 0);
    ck_assert_int_gt(lazy_deadline_left(now + 60000), 0);
    ck_assert_int_le(lazy_deadline_left(now + 60000), 60000);
    ck_assert_int_eq(lazy_deadline_left(LLONG_MAX / 2), INT_MAX);
}
END_TEST

START_TEST(time_goes_forward)
{
    long long before = lazy_now();

    unit_wait(lazy_now() > before);
}
END_TEST

/* Who polls for `waited` ms has added at most 4 percent to it, and never sleeps for nothing. */
START_TEST(steps_grow)
{
    int last = 0;

    for (long long waited = 0; waited < 100000; waited += last) {
        int step = lazy_step(waited, 250);

        ck_assert_int_ge(step, 1);
        ck_assert_int_ge(step, last);
        ck_assert_int_le(step, 250);
        ck_assert(step <= 1 + waited / 25);
        last = step;
    }
    ck_assert_int_eq(last, 250);
    ck_assert_int_eq(lazy_step(LLONG_MAX, 4), 4);
}
END_TEST

Suite *deadline_suite(void)
{
    Suite *suite = suite_create("deadline");
    TCase *tcase = unit_case(suite, "deadline");

    tcase_add_test(tcase, time_left);
    tcase_add_test(tcase, time_goes_forward);
    tcase_add_test(tcase, steps_grow);
    return suite;
}

#include "unit.h"

#include "core/clock.h"

START_TEST(it_is_the_systems)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct timespec before, found, after;

        clock_gettime(clocks[i], &before);
        found = lazy_clock_read(clocks[i]);
        clock_gettime(clocks[i], &after);
        ck_assert(found.tv_nsec >= 0 && found.tv_nsec < 1000000000);
        ck_assert(found.tv_sec > before.tv_sec ||
                  (found.tv_sec == before.tv_sec && found.tv_nsec >= before.tv_nsec));
        ck_assert(found.tv_sec < after.tv_sec ||
                  (found.tv_sec == after.tv_sec && found.tv_nsec <= after.tv_nsec));
    }
}
END_TEST

START_TEST(the_wall_has_seconds_since_1970)
{
    struct timespec before, after;
    long long found;

    clock_gettime(CLOCK_REALTIME, &before); /* time(2) may lag behind it */
    found = lazy_clock_wall();
    clock_gettime(CLOCK_REALTIME, &after);
    ck_assert(before.tv_sec <= found && found <= after.tv_sec);
}
END_TEST

Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = unit_case(suite, "clock");

    tcase_add_test(tcase, it_is_the_systems);
    tcase_add_test(tcase, the_wall_has_seconds_since_1970);
    return suite;
}

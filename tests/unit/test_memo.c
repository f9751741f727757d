#include "unit.h"

#include "core/deadline.h"
#include "core/memo.h"

START_TEST(what_was_looked_for_is_known_for_a_while)
{
    struct lazy_memo memo = {{0}};

    ck_assert(!lazy_memo_knows(&memo, LAZY_NO_RESTART, 1000));
    lazy_memo_keep(&memo, LAZY_NO_RESTART);
    ck_assert(lazy_memo_knows(&memo, LAZY_NO_RESTART, 60000));
    ck_assert(!lazy_memo_knows(&memo, LAZY_NO_SILENCE, 60000));
    memo.seen[LAZY_NO_RESTART] -= 2000;
    ck_assert(lazy_memo_knows(&memo, LAZY_NO_RESTART, 60000));
    ck_assert(!lazy_memo_knows(&memo, LAZY_NO_RESTART, 2000));
    lazy_memo_drop(&memo, LAZY_NO_RESTART);
    ck_assert(!lazy_memo_knows(&memo, LAZY_NO_RESTART, 1000));
}
END_TEST

START_TEST(without_a_memo_nothing_is_known)
{
    lazy_memo_keep(NULL, LAZY_NO_SILENCE);
    ck_assert(!lazy_memo_knows(NULL, LAZY_NO_SILENCE, 60000));
    lazy_memo_drop(NULL, LAZY_NO_SILENCE);
}
END_TEST

Suite *memo_suite(void)
{
    Suite *suite = suite_create("memo");
    TCase *tcase = unit_case(suite, "memo");

    tcase_add_test(tcase, what_was_looked_for_is_known_for_a_while);
    tcase_add_test(tcase, without_a_memo_nothing_is_known);
    return suite;
}

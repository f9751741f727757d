#include "unit.h"

#include "core/front.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_gone;
static int told;

static bool is_gone(void *context)
{
    ck_assert_ptr_eq(context, &has_gone);
    return has_gone;
}

static void on_event(void *context, enum lazy_event event, int ms, const char *sentence)
{
    ck_assert_ptr_eq(context, &has_gone);
    ck_assert(event == LAZY_EVENT_UP && ms == 12 && strcmp(sentence, "so") == 0);
    told++;
}

START_TEST(a_front_may_have_nothing_to_say)
{
    const struct lazy_front front = {.visitor = -1};

    ck_assert(!lazy_front_is_gone(&front));
    ck_assert(!lazy_front_is_ready(&front));
    lazy_front_tell(&front, LAZY_EVENT_UP, 12, "so");
    ck_assert_int_eq(lazy_front_nap(&front, -1), -1);
    ck_assert_int_eq(lazy_front_nap(&front, 100000), 100000);
}
END_TEST

START_TEST(it_is_asked_and_told)
{
    const struct lazy_front front = {.visitor = -1, .is_gone = is_gone, .event = on_event,
                                     .context = &has_gone};

    has_gone = false;
    ck_assert(!lazy_front_is_gone(&front));
    has_gone = true;
    ck_assert(lazy_front_is_gone(&front));
    told = 0;
    lazy_front_tell(&front, LAZY_EVENT_UP, 12, "so");
    ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(who_has_to_be_asked_is_asked_in_time)
{
    const struct lazy_front front = {.visitor = -1, .is_gone = is_gone};

    ck_assert_int_eq(lazy_front_nap(&front, 0), 0);
    ck_assert_int_eq(lazy_front_nap(&front, 7), 7);
    ck_assert_int_eq(lazy_front_nap(&front, 100000), lazy_front_nap(&front, -1));
    ck_assert(lazy_front_nap(&front, -1) > 0 && lazy_front_nap(&front, -1) <= 1000);
}
END_TEST

START_TEST(ready_while_there_is_room)
{
    char block[4096] = "";
    int ends[2];
    struct lazy_front front;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    front = (struct lazy_front){.visitor = ends[0]};
    ck_assert(lazy_front_is_ready(&front));
    while (send(ends[0], block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    ck_assert(!lazy_front_is_ready(&front));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

Suite *front_suite(void)
{
    Suite *suite = suite_create("front");
    TCase *tcase = unit_case(suite, "front");

    tcase_add_test(tcase, a_front_may_have_nothing_to_say);
    tcase_add_test(tcase, it_is_asked_and_told);
    tcase_add_test(tcase, who_has_to_be_asked_is_asked_in_time);
    tcase_add_test(tcase, ready_while_there_is_room);
    return suite;
}

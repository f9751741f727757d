#include "unit.h"

#include "core/process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lazy_process self(void)
{
    return (struct lazy_process){.pid = getpid(), .start = lazy_process_start(getpid())};
}

/* A child that sends its start time, then takes a name (NULL: keeps its own), and lives until the
 * other end of `hold` is closed. */
struct child {
    struct lazy_process process;
    int hold;
};

static void live(const char *name, int report, int hold)
{
    long long start = lazy_process_start(getpid());
    char byte;

    if (name != NULL && prctl(PR_SET_NAME, name) < 0)
        _exit(1);
    if (write(report, &start, sizeof start) != sizeof start)
        _exit(1);
    while (read(hold, &byte, 1) > 0)
        ;
    _exit(0);
}

static struct child begin(const char *name)
{
    struct child child;
    int report[2], hold[2];

    ck_assert_int_eq(pipe(report), 0);
    ck_assert_int_eq(pipe(hold), 0);
    child.process.pid = fork();
    ck_assert_int_ge(child.process.pid, 0);
    if (child.process.pid == 0) {
        close(hold[1]);
        live(name, report[1], hold[0]);
    }
    close(report[1]);
    close(hold[0]);
    child.hold = hold[1];
    ck_assert_int_eq(read(report[0], &child.process.start, sizeof(long long)), sizeof(long long));
    close(report[0]);
    return child;
}

/* Lets it end; it stays a zombie. */
static void end(const struct child *child)
{
    siginfo_t info;

    close(child->hold);
    ck_assert_int_eq(waitid(P_PID, (id_t)child->process.pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(info.si_code, CLD_EXITED);
    ck_assert_int_eq(info.si_status, 0);
}

static void reap(const struct child *child)
{
    ck_assert_int_eq(waitpid(child->process.pid, NULL, 0), child->process.pid);
}

START_TEST(own_process_is_alive)
{
    struct lazy_process process = self();

    ck_assert_int_gt(process.start, 0);
    ck_assert_int_eq(lazy_process_start(getpid()), process.start);
    ck_assert(lazy_process_alive(&process));
}
END_TEST

START_TEST(a_child_is_alive_until_it_ends)
{
    struct child child = begin(NULL);

    ck_assert(lazy_process_alive(&child.process));
    end(&child);
    ck_assert_int_eq(lazy_process_start(child.process.pid), 0); /* a zombie */
    ck_assert(!lazy_process_alive(&child.process));
    reap(&child);
    ck_assert_int_eq(lazy_process_start(child.process.pid), 0);
    ck_assert(!lazy_process_alive(&child.process));
}
END_TEST

START_TEST(another_start_is_another_process)
{
    struct lazy_process process = self();

    process.start++;
    ck_assert(!lazy_process_alive(&process));
    process.start -= 2;
    ck_assert(!lazy_process_alive(&process));
    process.start = 0; /* as a process has that isn't there */
    ck_assert(!lazy_process_alive(&process));
    process.start = -1;
    ck_assert(!lazy_process_alive(&process));
}
END_TEST

START_TEST(what_is_no_pid_is_not_alive)
{
    static const pid_t pids[] = {0, -1, -2, 0x7fffffff};

    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++) {
        struct lazy_process process = {.pid = pids[i]};

        ck_assert_int_eq(lazy_process_start(pids[i]), 0);
        ck_assert(!lazy_process_alive(&process));
    }
}
END_TEST

/* Names that look like the fields behind them. */
static const char *const names[] = {
    "two words", "a) Z 1 2 (b", "((()", ")))", ") Z 0 0 0 0 0 0", " ", "line\nbreak", "",
};

START_TEST(names_do_not_matter)
{
    struct child child = begin(names[_i]);

    ck_assert_int_gt(child.process.start, 0);
    ck_assert_int_eq(lazy_process_start(child.process.pid), child.process.start);
    ck_assert(lazy_process_alive(&child.process));
    end(&child);
    ck_assert(!lazy_process_alive(&child.process));
    reap(&child);
}
END_TEST

Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = unit_case(suite, "process");

    tcase_add_test(tcase, own_process_is_alive);
    tcase_add_test(tcase, a_child_is_alive_until_it_ends);
    tcase_add_test(tcase, another_start_is_another_process);
    tcase_add_test(tcase, what_is_no_pid_is_not_alive);
    tcase_add_loop_test(tcase, names_do_not_matter, 0, sizeof names / sizeof *names);
    return suite;
}

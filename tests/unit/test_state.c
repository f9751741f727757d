#include "unit.h"

#include "core/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG ((1LL << 62) - 1)

static int folder, descriptors;

static void begin(void)
{
    descriptors = unit_descriptors();
    folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
}

static void end(void)
{
    close(folder);
    ck_assert_int_eq(unit_descriptors(), descriptors);
}

static int put(const struct lazy_state *state)
{
    return lazy_state_write(folder, "state", "state.new", "/app.cgi", state);
}

static bool get(struct lazy_state *state)
{
    memset(state, 0x5a, sizeof *state); /* nothing of this may be left */
    return lazy_state_read(folder, "state", state);
}

static bool is_same(const struct lazy_state *a, const struct lazy_state *b)
{
    return a->outcome == b->outcome && a->command.pid == b->command.pid &&
           a->command.start == b->command.start && a->started == b->started &&
           a->ended == b->ended && a->server.pid == b->server.pid &&
           a->server.start == b->server.start &&
           a->exit_status == b->exit_status && a->signal == b->signal &&
           a->failures == b->failures && a->next_start == b->next_start &&
           strcmp(a->reason, b->reason) == 0 && strcmp(a->stamp, b->stamp) == 0;
}

static const struct lazy_state nothing = {.exit_status = -1};

static const struct lazy_state full = {
    .outcome = LAZY_STATE_FAILED, .command = {.pid = 4711, .start = 123456789},
    .started = 1795460281, .ended = 1795460282, .exit_status = 3,
    .server = {.pid = 4712, .start = 987654321},
    .signal = 9, .failures = 17, .next_start = 1795460342,
    .reason = "the start command exited with status 3 = \"three\" # (really)",
    .stamp = "1795460281.000000001+99",
};

static const struct lazy_state others[] = {
    {.outcome = LAZY_STATE_STARTING, .exit_status = -1},
    {.outcome = LAZY_STATE_UP, .exit_status = 0},
    {.outcome = LAZY_STATE_FAILED, .exit_status = 255, .signal = 64},
    {.outcome = LAZY_STATE_STOPPING, .exit_status = -1, .failures = 0},
    {.outcome = LAZY_STATE_UP, .command = {.pid = 1 << 30, .start = BIG}, .started = BIG,
     .ended = BIG, .server = {.pid = 1 << 30, .start = BIG}, .exit_status = BIG, .signal = BIG, .failures = BIG,
     .next_start = BIG},
};

START_TEST(what_is_written_is_read)
{
    struct lazy_state state, longest = full;

    ck_assert_int_eq(put(&full), 0);
    ck_assert(get(&state) && is_same(&state, &full));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_int_eq(put(&others[i]), 0);
        ck_assert_msg(get(&state) && is_same(&state, &others[i]), "state %zu", i);
    }
    memset(longest.reason, 'r', sizeof longest.reason - 1);
    memset(longest.stamp, 's', sizeof longest.stamp - 1);
    ck_assert_int_eq(put(&longest), 0);
    ck_assert(get(&state) && is_same(&state, &longest));
    ck_assert_int_ne(access("state.new", F_OK), 0);
}
END_TEST

START_TEST(people_can_read_it)
{
    struct stat status;
    const char *text;

    ck_assert_int_eq(put(&full), 0);
    text = unit_read("state");
    ck_assert_int_eq(strncmp(text, "# the last start of /app.cgi", 28), 0);
    ck_assert_ptr_nonnull(strstr(text, "\noutcome = failed\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nstarted = 1795460281 (2026-11-23 18:58:01 UTC)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nended = 1795460282 (2026-11-23 18:58:02 UTC)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nnext-start = 1795460342 (2026-11-23 18:59:02 UTC)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nexit-status = 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nserver-pid = 4712\n"));
    ck_assert_ptr_null(strstr(text, "server-start = 987654321 ("));
    ck_assert_int_eq(lstat("state", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFREG | 0600);
}
END_TEST

static void write_bytes(const char *bytes, size_t length)
{
    int fd = open("state", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

/* Known as a whole, or not at all. */
static void check_consistent(struct lazy_state *state)
{
    bool known = get(state);

    ck_assert(known ? state->outcome > LAZY_STATE_NONE && state->outcome < LAZY_STATE_OUTCOMES
                    : is_same(state, &nothing));
    ck_assert_uint_lt(strnlen(state->reason, LAZY_REASON_SIZE), LAZY_REASON_SIZE);
    ck_assert_uint_lt(strnlen(state->stamp, LAZY_STATE_STAMP_SIZE), LAZY_STATE_STAMP_SIZE);
}

START_TEST(truncated_anywhere)
{
    struct lazy_state state, own = full;
    char text[4096];
    size_t length;

    own.command = (struct lazy_process){.pid = getpid(), .start = lazy_process_start(getpid())};
    ck_assert_int_gt(own.command.start, 0);
    ck_assert_int_eq(put(&own), 0);
    length = strlen(unit_read("state"));
    memcpy(text, unit_read("state"), length);
    for (size_t cut = 0; cut < length; cut++) {
        write_bytes(text, cut);
        check_consistent(&state);
        ck_assert(state.outcome == LAZY_STATE_NONE || state.outcome == own.outcome);
        /* half a number must not name another process */
        ck_assert(!lazy_process_alive(&state.command) || state.command.start == own.command.start);
    }
    write_bytes(text, length);
    ck_assert(get(&state) && is_same(&state, &own));
}
END_TEST

static const char *const nonsense[] = {
    "", "\n", "outcome", "outcome =", "outcome = bogus\n", "outcome = none\n", "# outcome = up\n",
    "outcome = up\nthis is no pair\n", "outcome = up\npid = x\n", "outcome = up\npid = -1\n",
    "outcome = up\npid = 99999999999\n", "outcome = up\nfailures =\n",
    "outcome = up\nended = 99999999999999999999999999\n", "= up\n", "<html>no</html>\n",
};

START_TEST(nonsense_is_nothing)
{
    struct lazy_state state;

    write_bytes(nonsense[_i], strlen(nonsense[_i]));
    ck_assert_msg(!get(&state), "%s", nonsense[_i]);
    ck_assert(is_same(&state, &nothing));
}
END_TEST

START_TEST(noise_does_no_harm)
{
    static char noise[20000];
    struct lazy_state state;

    srand(1);
    for (int round = 0; round < 300; round++) {
        int length = rand() % 300;

        strcpy(noise, round % 2 ? "outcome = up\nreason = " : "");
        for (int i = (int)strlen(noise); i < length; i++)
            noise[i] = round % 3 ? "=\n# \ta0\0"[rand() % 8] : (char)rand();
        write_bytes(noise, (size_t)length);
        check_consistent(&state);
    }
    write_bytes("outcome = up\n\0outcome = failed\n", 31);
    check_consistent(&state);
    memset(noise, 'a', sizeof noise);
    write_bytes(noise, sizeof noise);
    ck_assert(!get(&state));
    memcpy(noise, "outcome = up\nreason = ", 22);
    write_bytes(noise, sizeof noise);
    check_consistent(&state);
}
END_TEST

static void make_link(void)
{
    ck_assert_int_eq(put(&full), 0);
    ck_assert_int_eq(rename("state", "target"), 0);
    ck_assert_int_eq(symlink("target", "state"), 0);
}

static void make_fifo(void)
{
    ck_assert_int_eq(mkfifo("state", 0600), 0);
}

static void make_folder(void)
{
    ck_assert_int_eq(mkdir("state", 0700), 0);
}

static void (*const odd_files[])(void) = {make_link, make_fifo, make_folder};

START_TEST(what_is_no_file_is_nothing)
{
    struct lazy_state state;
    int fd;

    ck_assert(!get(&state)); /* there is none yet */
    odd_files[_i]();
    ck_assert(!get(&state));
    ck_assert(is_same(&state, &nothing));
    fd = open("state", O_RDWR | O_NONBLOCK | O_CLOEXEC); /* a FIFO with a writer that is silent */
    ck_assert(!get(&state));
    if (fd >= 0)
        close(fd);
}
END_TEST

/* Then nobody must believe that nothing is known. */
START_TEST(what_can_not_be_read_now)
{
    struct rlimit limit, none = {0, 0};
    struct lazy_state state;

    ck_assert_int_eq(put(&full), 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    none.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    ck_assert(!get(&state));
    ck_assert_int_eq(errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_int_eq(state.outcome, LAZY_STATE_UNREAD);
}
END_TEST

static void expect_old_kept(void)
{
    struct lazy_state state;

    ck_assert(get(&state) && is_same(&state, &full));
}

START_TEST(a_failed_write_leaves_the_old)
{
    int status;
    pid_t child;

    ck_assert_int_eq(put(&full), 0);
    ck_assert_int_eq(mkdir("state.new", 0700), 0);
    ck_assert_int_eq(put(&others[1]), -1);
    expect_old_kept();
    ck_assert_int_eq(rmdir("state.new"), 0);

    for (rlim_t most = 0; most < 120; most += 40) { /* a disk that gets full */
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = most, .rlim_max = most});
            _exit(put(&others[4]) == -1 ? 42 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        expect_old_kept();
        ck_assert_int_ne(access("state.new", F_OK), 0);
    }

    unit_write("victim", "precious", 0600); /* what lies there is removed, never written through */
    ck_assert_int_eq(symlink("victim", "state.new"), 0);
    ck_assert_int_eq(put(&full), 0);
    ck_assert_str_eq(unit_read("victim"), "precious");

    ck_assert_int_eq(unlink("state"), 0);
    ck_assert_int_eq(mkdir("state", 0700), 0);
    ck_assert_int_eq(put(&full), -1);
    ck_assert_int_ne(access("state.new", F_OK), 0);
}
END_TEST

static atomic_int looks, partial;

static void *look(void *context)
{
    while (atomic_load(&looks) < 300) {
        struct lazy_state state;

        if (!get(&state) || (!is_same(&state, &full) && !is_same(&state, &others[4])))
            atomic_fetch_add(&partial, 1);
        atomic_fetch_add(&looks, 1);
    }
    return context;
}

START_TEST(replaced_in_one_step)
{
    pthread_t reader;
    int failed = 0;

    atomic_store(&looks, 0);
    atomic_store(&partial, 0);
    ck_assert_int_eq(put(&full), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, look, NULL), 0);
    for (int i = 0; atomic_load(&looks) < 300; i++)
        failed += put(i % 2 ? &full : &others[4]) < 0;
    pthread_join(reader, NULL);
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(atomic_load(&partial), 0);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

Suite *state_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = unit_case(suite, "state");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, people_can_read_it);
    tcase_add_test(tcase, truncated_anywhere);
    tcase_add_loop_test(tcase, nonsense_is_nothing, 0, COUNT(nonsense));
    tcase_add_test(tcase, noise_does_no_harm);
    tcase_add_loop_test(tcase, what_is_no_file_is_nothing, 0, COUNT(odd_files));
    tcase_add_test(tcase, what_can_not_be_read_now);
    tcase_add_test(tcase, a_failed_write_leaves_the_old);
    tcase_add_test(tcase, replaced_in_one_step);
    return suite;
}

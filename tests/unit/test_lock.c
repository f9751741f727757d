#include "unit.h"

#include "core/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RACERS 8
#define ROUNDS 200

static int folder, descriptors;
static struct lazy_error error;

/* What happens between the lock's open and its flock, which no other process could hit for sure. */
static int (*before_flock)(void);
static int flocks;

/* Takes the C library's place in this program. */
int flock(int fd, int operation)
{
    int (*hook)(void) = before_flock;

    if (hook != NULL) {
        flocks++;
        errno = hook();
        if (errno != 0)
            return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static void begin(void)
{
    descriptors = unit_descriptors();
    folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(folder, 0);
    before_flock = NULL;
    flocks = 0;
}

static void end(void)
{
    before_flock = NULL;
    close(folder);
    ck_assert_int_eq(unit_descriptors(), descriptors);
}

static enum lazy_lock take(int *fd)
{
    return lazy_lock_take(folder, "lock", fd, &error);
}

START_TEST(taken_held_and_released)
{
    struct stat status;
    int fd, other;

    ck_assert_int_eq(take(&fd), LAZY_LOCK_TAKEN);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFREG | 0600);
    ck_assert_int_eq(take(&other), LAZY_LOCK_HELD);
    ck_assert_int_eq(take(&other), LAZY_LOCK_HELD);
    lazy_lock_release(fd);
    ck_assert_int_eq(take(&fd), LAZY_LOCK_TAKEN);
    close(fd); /* the last copy: as good as a release */
    ck_assert_int_eq(take(&fd), LAZY_LOCK_TAKEN);
    lazy_lock_release(fd);
    ck_assert_int_eq(access("lock", F_OK), 0); /* never unlinked */
}
END_TEST

/* A child that has a copy of all descriptors until the returned one is closed. */
static pid_t keep_copy(int *gate)
{
    int ends[2];
    pid_t child;
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    *gate = ends[1];
    return child;
}

START_TEST(a_copy_holds_it_too)
{
    int fd, other, gate, status;
    pid_t child;

    ck_assert_int_eq(take(&fd), LAZY_LOCK_TAKEN);
    child = keep_copy(&gate);
    close(fd);
    ck_assert_int_eq(take(&other), LAZY_LOCK_HELD);
    close(gate);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(take(&fd), LAZY_LOCK_TAKEN);

    child = keep_copy(&gate);
    lazy_lock_release(fd); /* whoever has a copy */
    ck_assert_int_eq(take(&fd), LAZY_LOCK_TAKEN);
    lazy_lock_release(fd);
    close(gate);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
}
END_TEST

/* Shared by the racers, which may be processes. */
struct race {
    pthread_barrier_t barrier;
    atomic_int taken[ROUNDS], errors;
};

/* All try at once, and nobody lets go before all have tried. */
static void *run_race(void *context)
{
    struct race *race = context;

    for (int round = 0; round < ROUNDS; round++) {
        struct lazy_error own;
        enum lazy_lock lock;
        int fd;

        pthread_barrier_wait(&race->barrier);
        lock = lazy_lock_take(folder, "lock", &fd, &own);
        atomic_fetch_add(&race->taken[round], lock == LAZY_LOCK_TAKEN);
        atomic_fetch_add(&race->errors, lock == LAZY_LOCK_ERROR);
        pthread_barrier_wait(&race->barrier);
        if (lock == LAZY_LOCK_TAKEN)
            lazy_lock_release(fd);
    }
    return NULL;
}

static void race_threads(struct race *race)
{
    pthread_t threads[RACERS];

    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_race, race), 0);
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
}

static void race_processes(struct race *race)
{
    pid_t children[RACERS];

    for (int i = 0; i < RACERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            run_race(race);
            _exit(0);
        }
        ck_assert_int_gt(children[i], 0);
    }
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
}

static void (*const races[])(struct race *) = {race_threads, race_processes};

START_TEST(one_winner_of_each_race)
{
    struct race *race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                             -1, 0);
    pthread_barrierattr_t shared;

    ck_assert_ptr_ne(race, MAP_FAILED);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    ck_assert_int_eq(pthread_barrier_init(&race->barrier, &shared, RACERS), 0);
    races[_i](race);
    ck_assert_int_eq(race->errors, 0);
    for (int round = 0; round < ROUNDS; round++)
        ck_assert_msg(race->taken[round] == 1, "round %d: %d winners", round, race->taken[round]);
    pthread_barrier_destroy(&race->barrier);
    munmap(race, sizeof *race);
}
END_TEST

START_TEST(deleted_while_held)
{
    int old, new, other;

    ck_assert_int_eq(take(&old), LAZY_LOCK_TAKEN);
    ck_assert_int_eq(unlink("lock"), 0);
    ck_assert_int_eq(take(&new), LAZY_LOCK_TAKEN);
    ck_assert_int_eq(take(&other), LAZY_LOCK_HELD);
    lazy_lock_release(old); /* guards nothing any more */
    ck_assert_int_eq(take(&other), LAZY_LOCK_HELD);
    lazy_lock_release(new);
    ck_assert_int_eq(take(&new), LAZY_LOCK_TAKEN);
    lazy_lock_release(new);
}
END_TEST

static int rival; /* who was quicker; -1: nobody */

static int delete_once(void)
{
    before_flock = NULL;
    return unlink("lock");
}

static int replace_once(void)
{
    before_flock = NULL;
    unlink("lock");
    return take(&rival) == LAZY_LOCK_TAKEN ? 0 : EIO;
}

static int delete_always(void)
{
    return unlink("lock");
}

static int interrupt_once(void)
{
    before_flock = NULL;
    return EINTR;
}

static int refuse(void)
{
    return ENOLCK;
}

static const struct {
    int (*hook)(void);
    enum lazy_lock lock;
    int flocks_least; /* with the hook in place */
} windows[] = {
    {delete_once, LAZY_LOCK_TAKEN, 1},    {replace_once, LAZY_LOCK_HELD, 1},
    {delete_always, LAZY_LOCK_ERROR, 10}, {interrupt_once, LAZY_LOCK_TAKEN, 1},
    {refuse, LAZY_LOCK_ERROR, 1},
};

START_TEST(disturbed_between_open_and_flock)
{
    struct stat held, named;
    int fd;

    rival = -1;
    before_flock = windows[_i].hook;
    ck_assert_int_eq(take(&fd), windows[_i].lock);
    before_flock = NULL;
    ck_assert_int_ge(flocks, windows[_i].flocks_least);
    if (windows[_i].lock == LAZY_LOCK_TAKEN) { /* the file that others will find */
        ck_assert_int_eq(fstat(fd, &held), 0);
        ck_assert_int_eq(stat("lock", &named), 0);
        ck_assert_uint_eq(held.st_ino, named.st_ino);
        lazy_lock_release(fd);
    }
    if (windows[_i].lock == LAZY_LOCK_ERROR)
        ck_assert_int_eq(error.failure, LAZY_FOLDER);
    if (windows[_i].hook == refuse)
        ck_assert_int_eq(error.errnum, ENOLCK);
    if (rival >= 0)
        lazy_lock_release(rival);
}
END_TEST

static const struct {
    const char *target; /* of a link; NULL: a folder */
    int errnum;
} obstacles[] = {{"other", ELOOP}, {"nowhere", ELOOP}, {NULL, EISDIR}};

START_TEST(links_and_folders_are_refused)
{
    int fd;

    unit_write("other", "", 0600);
    ck_assert_int_eq(obstacles[_i].target != NULL ? symlink(obstacles[_i].target, "lock")
                                                  : mkdir("lock", 0700), 0);
    ck_assert_int_eq(take(&fd), LAZY_LOCK_ERROR);
    ck_assert_int_eq(error.failure, LAZY_FOLDER);
    ck_assert_int_eq(error.errnum, obstacles[_i].errnum);
    ck_assert_ptr_nonnull(strstr(error.sentence, "lock"));
    ck_assert_int_ne(access("nowhere", F_OK), 0); /* not made through the link */
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

Suite *lock_suite(void)
{
    Suite *suite = suite_create("lock");
    TCase *tcase = unit_case(suite, "lock");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, taken_held_and_released);
    tcase_add_test(tcase, a_copy_holds_it_too);
    tcase_add_loop_test(tcase, one_winner_of_each_race, 0, COUNT(races));
    tcase_add_test(tcase, deleted_while_held);
    tcase_add_loop_test(tcase, disturbed_between_open_and_flock, 0, COUNT(windows));
    tcase_add_loop_test(tcase, links_and_folders_are_refused, 0, COUNT(obstacles));
    return suite;
}

#include "unit.h"

#include "core/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 200000

static struct lazy_spool spool;
static struct lazy_error error;
static char bytes[MOST], back[MOST];

/* Bytes that differ from their neighbours of any power of two. */
static void make_bytes(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 + i / 251);
}

static bool folder_is_empty(void)
{
    DIR *folder = opendir(".");
    int count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count == 2;
}

static void write_all(size_t length, size_t step)
{
    for (size_t at = 0; at < length; at += step) {
        size_t some = step < length - at ? step : length - at;

        ck_assert_int_eq(lazy_spool_write(&spool, bytes + at, some, &error), 0);
    }
    ck_assert_int_eq(spool.length, (long long)length);
}

static void reads_back(size_t length, size_t step)
{
    size_t at = 0;
    ssize_t got;

    memset(back, 0, sizeof back);
    while ((got = lazy_spool_read(&spool, back + at, step)) > 0)
        at += (size_t)got;
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(at, length);
    ck_assert_int_eq(memcmp(back, bytes, length), 0);
    ck_assert_int_eq(lazy_spool_read(&spool, back, step), 0);
}

static const size_t lengths[] = {0, 1, 1000, LAZY_SPOOL_MEMORY - 1, LAZY_SPOOL_MEMORY,
                                 LAZY_SPOOL_MEMORY + 1, MOST};
static const size_t steps[] = {1000, 4096, LAZY_SPOOL_MEMORY, LAZY_SPOOL_MEMORY + 1, MOST};

START_TEST(bytes_come_back)
{
    make_bytes();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        lazy_spool_begin(&spool, ".", MOST);
        write_all(lengths[_i], steps[i]);
        ck_assert_int_eq(spool.fd >= 0, lengths[_i] > LAZY_SPOOL_MEMORY);
        reads_back(lengths[_i], 777);
        lazy_spool_rewind(&spool);
        reads_back(lengths[_i], MOST);
        lazy_spool_rewind(&spool);
        lazy_spool_end(&spool);
        ck_assert_int_eq(spool.fd, -1);
    }
}
END_TEST

/* As the exchange does it: what came is read while more comes. */
START_TEST(writing_goes_on_behind_what_is_read)
{
    size_t read = 0;

    make_bytes();
    lazy_spool_begin(&spool, ".", MOST);
    for (size_t at = 0; at < MOST; at += 10000) {
        ck_assert_int_eq(lazy_spool_write(&spool, bytes + at, 10000, &error), 0);
        ck_assert_int_eq(lazy_spool_read(&spool, back + read, 9000), 9000);
        read += 9000;
    }
    ck_assert_int_eq(lazy_spool_read(&spool, back + read, MOST), MOST - (ssize_t)read);
    ck_assert_int_eq(memcmp(back, bytes, MOST), 0);
    lazy_spool_end(&spool);
}
END_TEST

START_TEST(the_file_has_no_name)
{
    struct stat status;
    int before = unit_descriptors();

    lazy_spool_begin(&spool, ".", MOST);
    write_all(MOST, 5000);
    ck_assert_int_ge(spool.fd, 0);
    ck_assert_int_eq(fstat(spool.fd, &status), 0);
    ck_assert_uint_eq(status.st_nlink, 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_eq(fcntl(spool.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert(folder_is_empty());
    lazy_spool_end(&spool);
    ck_assert(folder_is_empty());
    ck_assert_int_eq(unit_descriptors(), before);
    lazy_spool_end(&spool); /* twice does no harm */
}
END_TEST

static const long long limits[] = {0, 1, LAZY_SPOOL_MEMORY - 1, LAZY_SPOOL_MEMORY,
                                   LAZY_SPOOL_MEMORY + 1, MOST - 1};

START_TEST(the_limit_is_kept)
{
    size_t limit = (size_t)limits[_i];

    make_bytes();
    lazy_spool_begin(&spool, ".", limits[_i]);
    ck_assert_int_eq(lazy_spool_write(&spool, bytes, limit + 1, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_BODY_LARGE);
    ck_assert_ptr_nonnull(strstr(error.sentence, "max-body"));
    ck_assert_int_eq(spool.fd, -1);
    write_all(limit, 999); /* exactly so many */
    error.failure = LAZY_OK;
    ck_assert_int_eq(lazy_spool_write(&spool, "x", 1, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_BODY_LARGE);
    ck_assert_int_eq(lazy_spool_write(&spool, "x", 0, &error), 0);
    reads_back(limit, 4096);
    lazy_spool_end(&spool);
}
END_TEST

START_TEST(no_folder_is_needed_for_memory)
{
    make_bytes();
    lazy_spool_begin(&spool, "/nonexistent", MOST);
    write_all(LAZY_SPOOL_MEMORY, 1000);
    reads_back(LAZY_SPOOL_MEMORY, 1000);
    lazy_spool_end(&spool);
}
END_TEST

START_TEST(a_missing_folder_is_told)
{
    lazy_spool_begin(&spool, "/nonexistent", MOST);
    ck_assert_int_eq(lazy_spool_write(&spool, bytes, LAZY_SPOOL_MEMORY, &error), 0);
    ck_assert_int_eq(lazy_spool_write(&spool, bytes, 1, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_SPOOL);
    ck_assert_int_eq(error.errnum, ENOENT);
    ck_assert_ptr_nonnull(strstr(error.sentence, "/nonexistent"));
    lazy_spool_end(&spool);
}
END_TEST

/* A limit for files is as good as a full disk, and needs no disk: the write is cut short, then
 * refused. */
START_TEST(a_full_disk_is_told)
{
    struct rlimit before, small;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    int result;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2 * LAZY_SPOOL_MEMORY;
    lazy_spool_begin(&spool, ".", MOST);
    write_all(LAZY_SPOOL_MEMORY + 1, MOST);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    result = lazy_spool_write(&spool, bytes, 100000, &error);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(error.failure, LAZY_SPOOL);
    ck_assert_int_eq(error.errnum, EFBIG);
    lazy_spool_end(&spool);
}
END_TEST

Suite *spool_suite(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = unit_case(suite, "spool");

    tcase_add_loop_test(tcase, bytes_come_back, 0, sizeof lengths / sizeof *lengths);
    tcase_add_test(tcase, writing_goes_on_behind_what_is_read);
    tcase_add_test(tcase, the_file_has_no_name);
    tcase_add_loop_test(tcase, the_limit_is_kept, 0, sizeof limits / sizeof *limits);
    tcase_add_test(tcase, no_folder_is_needed_for_memory);
    tcase_add_test(tcase, a_missing_folder_is_told);
    tcase_add_test(tcase, a_full_disk_is_told);
    return suite;
}

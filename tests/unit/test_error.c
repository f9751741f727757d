#include "unit.h"

#include "core/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum lazy_failure failure;
    int status;
} expected[] = {
    {LAZY_OK, 200},
    {LAZY_APP, 500},
    {LAZY_FOLDER, 500},
    {LAZY_START, 503},
    {LAZY_PATIENCE, 503},
    {LAZY_BUSY, 503},
    {LAZY_UNREACHABLE, 502},
    {LAZY_CLOSED, 502},
    {LAZY_SILENT, 504},
    {LAZY_BODY_LARGE, 413},
    {LAZY_NOT_CGI, 502},
    {LAZY_SPOOL, 500},
    {LAZY_REQUEST, 400},
    {LAZY_VISITOR_GONE, 499},
};

START_TEST(table_is_complete)
{
    ck_assert_uint_eq(sizeof expected / sizeof *expected, LAZY_FAILURES);
    for (int i = 0; i < LAZY_FAILURES; i++) {
        const struct lazy_failure_entry *entry = lazy_failure_entry(expected[i].failure);
        bool seen = i != LAZY_OK && i != LAZY_VISITOR_GONE; /* by a visitor */

        ck_assert_int_eq(expected[i].failure, i);
        ck_assert_int_eq(entry->status, expected[i].status);
        ck_assert_ptr_nonnull(entry->reason);
        ck_assert_str_ne(entry->reason, "");
        ck_assert_ptr_nonnull(entry->page);
        ck_assert_msg((*entry->page != '\0') == seen, "page of %d", i);
    }
}
END_TEST

/* One status, one reason. */
START_TEST(reasons_belong_to_statuses)
{
    for (int i = 0; i < LAZY_FAILURES; i++)
        for (int j = 0; j < LAZY_FAILURES; j++) {
            const struct lazy_failure_entry *a = lazy_failure_entry(i), *b = lazy_failure_entry(j);

            ck_assert_int_eq(a->status == b->status, strcmp(a->reason, b->reason) == 0);
        }
}
END_TEST

/* They go into HTML and to strangers. */
START_TEST(pages_are_plain_sentences)
{
    for (int i = 0; i < LAZY_FAILURES; i++) {
        const char *page = lazy_failure_entry(i)->page;
        size_t length = strlen(page);

        ck_assert_ptr_null(strpbrk(page, "<>&\"'/\\\n"));
        if (length > 0)
            ck_assert_int_eq(page[length - 1], '.');
    }
}
END_TEST

static const struct {
    int errnum;
    const char *sentence;
} causes[] = {
    {0, "a thing"},
    {EACCES, "a thing: Permission denied (errno "},
    {EAGAIN, "a thing: Resource unavailable (errno "},
    {EDQUOT, "a thing: Disk quota exceeded (errno "},
    {EIO, "a thing: Input/output error (errno "},
    {EMFILE, "a thing: Too many open files (errno "},
    {ENAMETOOLONG, "a thing: File name too long (errno "},
    {ENETUNREACH, "a thing: Network is unreachable (errno "},
    {ENFILE, "a thing: Too many files in system (errno "},
    {ENOENT, "a thing: No such file or folder (errno "},
    {ENOMEM, "a thing: Out of memory (errno "},
    {ENOSPC, "a thing: No space left on device (errno "},
    {ENOTDIR, "a thing: Not a folder (errno "},
    {EPERM, "a thing: Operation not permitted (errno "},
    {EROFS, "a thing: Read-only file system (errno "},
    {EXDEV, "a thing (errno "}, /* no meaning of its own */
    {9999, "a thing (errno "},
};

START_TEST(errno_is_told)
{
    struct lazy_error error = {.retry_after = 5, .sentence = "before"};
    char sentence[128];

    snprintf(sentence, sizeof sentence, "%s", causes[_i].sentence);
    if (causes[_i].errnum != 0)
        snprintf(sentence, sizeof sentence, "%s%d)", causes[_i].sentence, causes[_i].errnum);
    ck_assert_int_eq(
        lazy_error_set(&error, LAZY_FOLDER, causes[_i].errnum, "%s %s", "a", "thing"), -1);
    ck_assert_int_eq(error.failure, LAZY_FOLDER);
    ck_assert_int_eq(error.errnum, causes[_i].errnum);
    ck_assert_int_eq(error.retry_after, 0);
    ck_assert_str_eq(error.sentence, sentence);
}
END_TEST

START_TEST(long_sentences_are_cut)
{
    char word[2 * LAZY_SENTENCE_SIZE];
    struct lazy_error error;

    memset(word, 'w', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    ck_assert_int_eq(lazy_error_set(&error, LAZY_APP, EACCES, "key '%s'", word), -1);
    ck_assert_int_eq(error.errnum, EACCES);
    ck_assert_uint_eq(strnlen(error.sentence, LAZY_SENTENCE_SIZE), LAZY_SENTENCE_SIZE - 1);
    ck_assert_int_eq(strncmp(error.sentence, "key 'www", 8), 0);
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = unit_case(suite, "error");

    tcase_add_test(tcase, table_is_complete);
    tcase_add_test(tcase, reasons_belong_to_statuses);
    tcase_add_test(tcase, pages_are_plain_sentences);
    tcase_add_loop_test(tcase, errno_is_told, 0, sizeof causes / sizeof *causes);
    tcase_add_test(tcase, long_sentences_are_cut);
    return suite;
}

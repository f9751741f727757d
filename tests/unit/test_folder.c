#include "unit.h"

#include "core/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lazy_error error;

static int open_folder(const char *name)
{
    int folder = lazy_folder_open(unit_path(name), &error);

    ck_assert_msg(folder >= 0, "%s", error.sentence);
    return folder;
}

static void refused(const char *path, const char *part)
{
    int before = unit_descriptors();

    memset(&error, 0, sizeof error);
    ck_assert_msg(lazy_folder_open(path, &error) == -1, "%s is taken", path);
    ck_assert_int_eq(error.failure, LAZY_FOLDER);
    ck_assert_msg(strstr(error.sentence, part), "'%s' is not in '%s'", part, error.sentence);
    ck_assert_ptr_nonnull(strstr(error.sentence, path));
    ck_assert_int_eq(unit_descriptors(), before);
}

static unsigned mode_of(const char *name)
{
    struct stat status;

    ck_assert_int_eq(lstat(name, &status), 0);
    return status.st_mode & 07777;
}

START_TEST(a_folder_is_made)
{
    mode_t mask = umask(0); /* the mode doesn't hang on it */
    int folder = open_folder("state");

    umask(mask);
    ck_assert_uint_eq(mode_of("state"), 0700);
    ck_assert_uint_eq(mode_of("state/.htaccess"), 0600);
    ck_assert_ptr_nonnull(strstr(unit_read("state/.htaccess"), "\nRequire all denied\n"));
    ck_assert_int_eq(fcntl(folder, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(folder);
}
END_TEST

START_TEST(a_folder_is_opened_again)
{
    int first = open_folder("state"), second;
    struct stat one, two;

    unit_write("state/.htaccess", "", 0600); /* whoever made it was killed before it was written */
    close(open_folder("state"));
    ck_assert_ptr_nonnull(strstr(unit_read("state/.htaccess"), "\nRequire all denied\n"));
    unit_write("state/.htaccess", "# the owner's\n", 0600);
    second = open_folder("state");
    ck_assert_int_eq(fstat(first, &one), 0);
    ck_assert_int_eq(fstat(second, &two), 0);
    ck_assert_uint_eq(one.st_ino, two.st_ino);
    ck_assert_str_eq(unit_read("state/.htaccess"), "# the owner's\n");
    close(first);
    close(second);
}
END_TEST

START_TEST(an_owners_folder_is_taken)
{
    static const mode_t modes[] = {0700, 0755, 0711};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ck_assert_int_eq(mkdir("mine", 0700), 0);
        ck_assert_int_eq(chmod("mine", modes[i]), 0);
        close(open_folder("mine"));
        ck_assert_uint_eq(mode_of("mine"), modes[i]);
        ck_assert_str_ne(unit_read("mine/.htaccess"), "");
        ck_assert_int_eq(unlink("mine/.htaccess"), 0);
        ck_assert_int_eq(rmdir("mine"), 0);
    }
}
END_TEST

START_TEST(folders_that_others_write_are_refused)
{
    static const mode_t modes[] = {0770, 0720, 0702, 0777, 01777};
    const char *path = unit_path("open");

    ck_assert_int_eq(mkdir("open", 0700), 0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ck_assert_int_eq(chmod("open", modes[i]), 0);
        refused(path, "can be written by others");
    }
    ck_assert_str_eq(unit_read("open/.htaccess"), "");
}
END_TEST

START_TEST(links_are_refused)
{
    ck_assert_int_eq(mkdir("real", 0700), 0);
    ck_assert_int_eq(symlink("real", "link"), 0);
    ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
    refused(unit_path("link"), "is a link or no folder");
    refused(unit_path("dangling"), "is a link or no folder");
    ck_assert_int_eq(access("nowhere", F_OK), -1);
}
END_TEST

START_TEST(what_is_no_folder_is_refused)
{
    unit_write("file", "", 0600);
    refused(unit_path("file"), "is a link or no folder");
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    refused(unit_path("fifo"), "is a link or no folder");
}
END_TEST

START_TEST(a_parent_is_not_made)
{
    refused(unit_path("missing/state"), "can't be made");
    ck_assert_int_eq(error.errnum, ENOENT);
    ck_assert_int_eq(access("missing", F_OK), -1);
    unit_write("file", "", 0600);
    refused(unit_path("file/state"), "can't be made");
    ck_assert_int_eq(error.errnum, ENOTDIR);
}
END_TEST

/* Root gives a folder away; nobody else can, but "/" is another's then. */
START_TEST(folders_of_others_are_refused)
{
    if (geteuid() != 0) {
        refused("/", "belongs to another user");
        return;
    }
    ck_assert_int_eq(mkdir("given", 0700), 0);
    ck_assert_int_eq(chown("given", 65534, 65534), 0);
    refused(unit_path("given"), "belongs to another user");
}
END_TEST

START_TEST(the_htaccess_is_never_written_through_a_link)
{
    ck_assert_int_eq(mkdir("state", 0700), 0);
    ck_assert_int_eq(symlink("../victim", "state/.htaccess"), 0);
    close(open_folder("state"));
    ck_assert_int_eq(access("victim", F_OK), -1);
}
END_TEST

START_TEST(files_are_made_private)
{
    mode_t mask = umask(0);
    int folder = open_folder("state"), fd = lazy_folder_file(folder, "file", O_RDWR | O_CREAT);

    umask(mask);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_uint_eq(mode_of("state/file"), 0600);
    close(fd);
    ck_assert_int_eq(lazy_folder_file(folder, "file", O_RDWR | O_CREAT | O_EXCL), -1);
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(lazy_folder_file(folder, "none", O_RDONLY), -1);
    ck_assert_int_eq(errno, ENOENT);
    close(folder);
}
END_TEST

START_TEST(files_are_never_links)
{
    static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_TRUNC};
    int folder = open_folder("state");

    unit_write("victim", "precious", 0600);
    ck_assert_int_eq(symlink("../victim", "state/link"), 0);
    ck_assert_int_eq(symlink("../unborn", "state/dangling"), 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        ck_assert_int_eq(lazy_folder_file(folder, "link", flags[i]), -1);
        ck_assert_int_eq(errno, ELOOP);
        ck_assert_int_eq(lazy_folder_file(folder, "dangling", flags[i]), -1);
        ck_assert_int_eq(errno, ELOOP);
    }
    ck_assert_str_eq(unit_read("victim"), "precious");
    ck_assert_int_eq(access("unborn", F_OK), -1);
    close(folder);
}
END_TEST

Suite *folder_suite(void)
{
    Suite *suite = suite_create("folder");
    TCase *tcase = unit_case(suite, "folder");

    tcase_add_test(tcase, a_folder_is_made);
    tcase_add_test(tcase, a_folder_is_opened_again);
    tcase_add_test(tcase, an_owners_folder_is_taken);
    tcase_add_test(tcase, folders_that_others_write_are_refused);
    tcase_add_test(tcase, links_are_refused);
    tcase_add_test(tcase, what_is_no_folder_is_refused);
    tcase_add_test(tcase, a_parent_is_not_made);
    tcase_add_test(tcase, folders_of_others_are_refused);
    tcase_add_test(tcase, the_htaccess_is_never_written_through_a_link);
    tcase_add_test(tcase, files_are_made_private);
    tcase_add_test(tcase, files_are_never_links);
    return suite;
}

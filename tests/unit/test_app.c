#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct lazy_app app;
static struct lazy_error error;

static void loads(const char *file)
{
    memset(&app, 0x55, sizeof app); /* nothing shall be taken for zero */
    ck_assert_msg(lazy_app_load(&app, file, NULL, &error) == 0, "%s: %s", file, error.sentence);
}

static void refused(const char *file, const char *part)
{
    int before = unit_descriptors();

    ck_assert_int_eq(lazy_app_load(&app, file, NULL, &error), -1);
    ck_assert_int_eq(error.failure, LAZY_APP);
    ck_assert_msg(strstr(error.sentence, part), "'%s' is not in '%s'", part, error.sentence);
    ck_assert_int_eq(unit_descriptors(), before);
}

START_TEST(every_key_is_read)
{
    struct lazy_app *all = unit_app("#!/usr/bin/lazyscgi\r\nstart = exec server --quiet\r\n"
                                    "  socket=[::1]:8123\r\ndirectory = /srv\r\n"
                                    "state-dir = /state\r\nlog = /log\r\nenv = A=1 \r\n"
                                    "env = B = 2\r\nstart-timeout = 1m\r\npatience = 10s\r\n"
                                    "response-timeout = 500ms\r\nmax-body = 10M"); /* no end */
    const struct lazy_settings *settings = &all->settings;
    char strings[256];

    snprintf(strings, sizeof strings, "%s, %s, %s, %s, %s, %s, %s", settings->start, all->socket,
             all->directory, all->state_dir, all->log, settings->env[0], settings->env[1]);
    ck_assert_str_eq(strings, "exec server --quiet, [::1]:8123, /srv, /state, /log, A=1, B = 2");
    ck_assert(all->socket_line == 3 && all->address.to.any.sa_family == AF_INET6);
    ck_assert(settings->start_timeout == 60000 && settings->patience == 10000);
    ck_assert(settings->response_timeout == 500 && settings->max_body == 10 << 20);
    ck_assert_int_eq(settings->env_count, 2);
}
END_TEST

START_TEST(defaults_are_beside_the_file)
{
    struct utsname host;
    struct stat status;
    char path[PATH_MAX];

    unit_write("app.cgi", "", 0700);
    loads(unit_path("app.cgi"));
    ck_assert(stat("app.cgi", &status) == 0 && uname(&host) == 0);
    ck_assert_str_eq(app.file, unit_path("app.cgi"));
    ck_assert_str_eq(app.name, "app.cgi");
    ck_assert(app.owner == status.st_uid && app.device == status.st_dev);
    ck_assert_uint_eq(app.inode, status.st_ino);
    ck_assert(app.settings.patience == 30000 && app.socket_line == 0);
    snprintf(path, sizeof path, "%s/app.cgi", app.directory);
    ck_assert_str_eq(path, app.file);
    snprintf(path, sizeof path, ".lazyscgi-%s", host.nodename);
    ck_assert_str_eq(app.state_dir, unit_path(path));
    strcat(path, "/app.cgi.log");
    ck_assert_str_eq(app.log, unit_path(path));
    strcpy(strrchr(path, '.'), ".sock");
    ck_assert_str_eq(app.socket, unit_path(path));
    ck_assert_str_eq(lazy_address_path(&app.address), unit_path(path));
}
END_TEST

/* What becomes of a line; a "+" stands for the app's folder. */
static const struct {
    const char *line;
    size_t offset;
    const char *result;
} resolved[] = {
    {"directory = www", offsetof(struct lazy_app, directory), "+/www"},
    {"directory = ../a b", offsetof(struct lazy_app, directory), "+/../a b"},
    {"state-dir = state", offsetof(struct lazy_app, state_dir), "+/state"},
    {"state-dir = state//", offsetof(struct lazy_app, state_dir), "+/state"},
    {"state-dir = /", offsetof(struct lazy_app, state_dir), "/"},
    {"state-dir = state", offsetof(struct lazy_app, log), "+/state/app.cgi.log"},
    {"state-dir = state", offsetof(struct lazy_app, socket), "+/state/app.cgi.sock"},
    {"log = my.log", offsetof(struct lazy_app, log), "+/my.log"},
    {"socket = run/x", offsetof(struct lazy_app, socket), "+/run/x"},
    {"socket = unix:x", offsetof(struct lazy_app, socket), "+/x"},
    {"socket = unix:/run/x", offsetof(struct lazy_app, socket), "/run/x"},
    {"socket = @a/b", offsetof(struct lazy_app, socket), "@a/b"},
    {"socket = [::1]:80", offsetof(struct lazy_app, socket), "[::1]:80"},
};

START_TEST(relative_paths_are_resolved)
{
    const char *result = resolved[_i].result;

    unit_write("app.cgi", resolved[_i].line, 0700);
    loads(unit_path("app.cgi"));
    ck_assert_str_eq(*(const char **)((char *)&app + resolved[_i].offset),
                     *result == '+' ? unit_path(result + 2) : result);
}
END_TEST

/* One app, one set of files: however it is called. */
static const struct {
    const char *call, *file;
} calls[] = {
    {"app.cgi", "app.cgi"},         {"./app.cgi", "app.cgi"},   {"././app.cgi", "app.cgi"},
    {"sub/app.cgi", "sub/app.cgi"}, {".//app.cgi", "app.cgi"},
};

START_TEST(files_are_made_absolute)
{
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    unit_write(calls[_i].file, "", 0700);
    loads(calls[_i].call);
    ck_assert_str_eq(app.file, unit_path(calls[_i].file));
    ck_assert_str_eq(app.name, "app.cgi");
}
END_TEST

static const struct {
    const char *text, *sentence;
} bad[] = {
    {"strat = x\n", "line 1: there is no key 'strat'; the nearest is 'start'"},
    {"# a\r\n\r\nstart = x\r\nstart = y\r\n", "line 4: 'start' is given twice"},
    {"\n\nstart =\n", "line 3: 'start' has no value"},
    {"start = x\npatience = 5\n", "line 2: 'patience' wants a duration"},
    {"start = x\n\nserver --port 1\n", "line 3: 'server --port 1' is not 'key = value'"},
    {"env = A=b\nenv = AB\n", "line 2: 'env' wants NAME=value, not 'AB'"},
    {"start = x\nsocket = app.sock\n", "line 2: 'socket' can't be 'app.sock': it is neither"},
    {"socket = localhost:0\nstart = x\n", "line 1: 'socket' can't be 'localhost:0': the port"},
    {"start = x\nsocket = unix:\n", "line 2: 'socket' can't be '/"}, /* the folder that paths begin in */
};

START_TEST(bad_lines_are_told)
{
    unit_write("app.cgi", bad[_i].text, 0700);
    refused(unit_path("app.cgi"), bad[_i].sentence);
    ck_assert_ptr_eq(strstr(error.sentence, bad[_i].sentence), error.sentence);
}
END_TEST

static const mode_t modes[] = {0644, 0500, 0755, 0444, 0664, 0602, 0775, 0757, 0420};

START_TEST(files_others_may_write_are_refused)
{
    unit_write("app.cgi", "start = x\n", 0600);
    ck_assert_int_eq(chmod("app.cgi", modes[_i]), 0);
    if (_i < 4)
        loads("app.cgi");
    else
        refused("app.cgi", "can be written by its group or by others");
}
END_TEST

static bool is_unreadable(void)
{
    return lazy_app_load(&app, "app.cgi", NULL, &error) == -1 && error.errnum == EACCES;
}

/* A FIFO must not hold a request either. */
START_TEST(what_can_not_be_read_is_refused)
{
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    refused("folder", "is not a regular file");
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    refused("fifo", "is not a regular file");
    refused("/dev/null", "is not a regular file");
    refused("", "can't be read");
    refused(unit_path("missing"), "can't be read");
    ck_assert_int_eq(error.errnum, ENOENT);
    unit_write("app.cgi", "start = x\n", 0);
    ck_assert(unit_as_user(is_unreadable));
}
END_TEST

START_TEST(what_is_no_small_text_is_refused)
{
    static char text[LAZY_APP_FILE_MAX + 2];

    memset(text, '#', LAZY_APP_FILE_MAX);
    unit_write("app.cgi", text, 0700);
    loads("app.cgi");
    text[LAZY_APP_FILE_MAX] = '#';
    unit_write("app.cgi", text, 0700);
    refused("app.cgi", "is larger than 16384 bytes");
    for (off_t at = 0; at < 20; at++) {
        int fd;

        unit_write("app.cgi", "start = x\n# comment\n", 0700);
        fd = open("app.cgi", O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(pwrite(fd, "", 1, at), 1);
        close(fd);
        refused("app.cgi", "has a NUL byte");
    }
}
END_TEST

/* The longest name of an app file leaves room for the suffixes of its other files. */
START_TEST(long_paths_are_refused)
{
    static char text[LAZY_APP_FILE_MAX], file[LAZY_APP_PATHS_MAX + 100];
    char name[NAME_MAX + 1] = "", other[NAME_MAX + 1];

    memcpy(text, "state-dir = ", 12);
    memset(text + 12, 's', 9000); /* twice, for the default log */
    unit_write("app.cgi", text, 0700);
    refused("app.cgi", "the paths of this app are too long");
    text[12 + 120] = '\0'; /* nothing is wrong but the default socket, which has no line */
    unit_write("app.cgi", text, 0700);
    refused("app.cgi", "at most 107 bytes");
    ck_assert_int_eq(strncmp(error.sentence, "'socket' can't be '/", 20), 0);
    memset(file, 'f', sizeof file - 1);
    refused(file, "can't be read");
    memset(file, '/', 1);
    refused(file, "can't be read");
    memset(name, 'n', 240);
    unit_write(name, "socket = localhost:80\n", 0700);
    refused(name, "the paths of this app are too long");
    name[239] = '\0';
    unit_write(name, "socket = localhost:80\n", 0700);
    loads(name);
    lazy_app_file_name(&app, ".state.new", other);
    ck_assert_str_eq(other, strcat(name, ".state.new"));
}
END_TEST

/* Only an app file of another user's has its state there, and only if it doesn't say where. */
START_TEST(apps_of_others_have_a_home)
{
    static const struct lazy_home home = {.folder = "/run/home", .name = "unique"};

    unit_write("app.cgi", _i == 2 ? "state-dir = /elsewhere\n" : "", 0700);
    if (_i > 0 && chown("app.cgi", 65534, 65534) < 0) {
        puts("    not root: left out");
        return;
    }
    ck_assert_int_eq(lazy_app_load(&app, "app.cgi", &home, &error), 0);
    ck_assert_str_eq(app.name, _i == 1 ? "unique" : "app.cgi");
    if (_i == 1)
        ck_assert_str_eq(app.socket, "/run/home/unique.sock");
    else
        ck_assert_ptr_null(strstr(app.socket, "/run/home"));
}
END_TEST

/* It would begin a line of the state. */
START_TEST(line_ends_in_paths_are_refused)
{
    ck_assert_int_eq(mkdir("odd\nname", 0700), 0);
    unit_write("odd\nname/app.cgi", "socket = localhost:80\n", 0700);
    refused("odd\nname/app.cgi", "must not hold a line end");
}
END_TEST

/* Sets the file's times; what the stamp is then. */
static const char *stamp_at(long long read_time, long long written, long nanoseconds)
{
    static struct lazy_app_stamp stamp;
    struct timespec times[2] = {{.tv_sec = read_time}, {.tv_sec = written, .tv_nsec = nanoseconds}};

    ck_assert_int_eq(utimensat(AT_FDCWD, "app.cgi", times, 0), 0);
    ck_assert_int_eq(lazy_app_stamp(&stamp, "app.cgi"), 0);
    return stamp.text;
}

START_TEST(neighbours_are_not_trusted)
{
    static struct lazy_app loaded = {.owner = 7};

    ck_assert(lazy_app_trusts(&loaded, 7));
    ck_assert(lazy_app_trusts(&loaded, 0));
    ck_assert(lazy_app_trusts(&loaded, geteuid()));
    ck_assert(!lazy_app_trusts(&loaded, geteuid() + 8));
    ck_assert(!lazy_app_trusts(&loaded, (uid_t)-1));
}
END_TEST

START_TEST(stamps_change_when_the_file_is_touched)
{
    struct lazy_app_stamp stamp;

    unit_write("app.cgi", "start = x\n", 0700);
    stamp_at(5, 1000, 0);
    loads("app.cgi");
    ck_assert_int_eq(chmod("app.cgi", 0755), 0);
    ck_assert_str_eq(stamp_at(6, 1000, 0), app.stamp.text); /* only read */
    ck_assert_str_ne(stamp_at(5, 1000, 1), app.stamp.text); /* touched */
    ck_assert_str_ne(stamp_at(5, 999, 0), app.stamp.text);  /* replaced by an older one */
    unit_write("app.cgi", "start = xy\n", 0700);
    ck_assert_str_ne(stamp_at(5, 1000, 0), app.stamp.text); /* by one of the same time */
    ck_assert(lazy_app_stamp(&stamp, "missing") == -1 && errno == ENOENT);
}
END_TEST

Suite *app_suite(void)
{
    Suite *suite = suite_create("app");
    TCase *tcase = unit_case(suite, "app");

    tcase_add_test(tcase, every_key_is_read);
    tcase_add_test(tcase, defaults_are_beside_the_file);
    tcase_add_loop_test(tcase, relative_paths_are_resolved, 0, sizeof resolved / sizeof *resolved);
    tcase_add_loop_test(tcase, files_are_made_absolute, 0, sizeof calls / sizeof *calls);
    tcase_add_loop_test(tcase, bad_lines_are_told, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(tcase, files_others_may_write_are_refused, 0, sizeof modes / sizeof *modes);
    tcase_add_test(tcase, what_can_not_be_read_is_refused);
    tcase_add_test(tcase, what_is_no_small_text_is_refused);
    tcase_add_test(tcase, long_paths_are_refused);
    tcase_add_test(tcase, line_ends_in_paths_are_refused);
    tcase_add_loop_test(tcase, apps_of_others_have_a_home, 0, 3);
    tcase_add_test(tcase, neighbours_are_not_trusted);
    tcase_add_test(tcase, stamps_change_when_the_file_is_touched);
    return suite;
}

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static char paths[16][PATH_MAX];
static int path_count;

static void enter_folder(void)
{
    strcpy(folder, "/tmp/lazyscgi-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    path_count = 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void leave_folder(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

TCase *unit_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, enter_folder, leave_folder);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

const char *unit_path(const char *name)
{
    char *path = paths[path_count++];

    ck_assert_int_le(path_count, 16);
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

void unit_write(const char *name, const char *text, mode_t mode)
{
    size_t length = strlen(text);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
}

const char *unit_read(const char *name)
{
    static char text[65536];
    ssize_t got;
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return "";
    got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

struct lazy_app *unit_app(const char *text)
{
    static struct lazy_app app;
    struct lazy_error error = {.sentence = ""};

    unit_write("app.cgi", text, 0755);
    ck_assert_msg(lazy_app_load(&app, unit_path("app.cgi"), NULL, &error) == 0, "%s", error.sentence);
    app.environment = NULL;
    app.memo = NULL;
    return &app;
}

int unit_listen(const char *path, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

bool unit_as_user(bool (*holds)(void))
{
    int status;
    pid_t child;

    ck_assert_int_eq(chmod(folder, 0755), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(geteuid() == 0 && setuid(65534) < 0 ? 2 : !holds());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        fprintf(stderr, "not tested: root can't become another user\n");
    return WIFEXITED(status) && WEXITSTATUS(status) != 1;
}

int unit_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 512; fd++) /* /proc would list valgrind's own, high up, as well */
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

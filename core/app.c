#include "app.h"

#include "call.h"
#include "lines.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SUFFIX_MAX 16 /* of the files in the state folder */

static int fail(int errnum, const char *what, struct lazy_error *error)
{
    return lazy_error_set(error, LAZY_APP, errnum, "%s", what);
}

/* Puts the place before the sentence: "line 3: ...". */
static int fail_at(int line, struct lazy_error *error)
{
    struct lazy_error bare = *error;

    return lazy_error_set(error, LAZY_APP, 0, "line %d: %s", line, bare.sentence);
}

/* mtime and size, not the inode number: some network file systems make those up anew, and not
 * ctime: a backup that resets access times changes it. */
static void set_stamp(struct lazy_app_stamp *stamp, const struct stat *status)
{
    struct lazy_text text;

    lazy_text_begin(&text, stamp->text, sizeof stamp->text);
    lazy_text_format(&text, "%lld.%lld+%lld", (long long)status->st_mtim.tv_sec,
                     (long long)status->st_mtim.tv_nsec, (long long)status->st_size);
    stamp->mark = status->st_mtim;
    stamp->mark.tv_nsec = (stamp->mark.tv_nsec + status->st_size) % 1000000000;
}

int lazy_app_stamp(struct lazy_app_stamp *stamp, const char *file)
{
    struct stat status;

    if (lazy_call_stat(AT_FDCWD, file, &status, 0) < 0)
        return -1;
    set_stamp(stamp, &status);
    return 0;
}

static int check_file(struct lazy_app *app, const struct stat *status, struct lazy_error *error)
{
    if (!S_ISREG(status->st_mode))
        return fail(0, "the app file is not a regular file", error);
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return fail(0, "the app file can be written by its group or by others: "
                            "chmod go-w (or 755) it", error);
    if (status->st_size > LAZY_APP_FILE_MAX)
        return fail(0, "the app file is larger than 16384 bytes", error);
    app->owner = status->st_uid;
    app->device = status->st_dev;
    app->inode = status->st_ino;
    set_stamp(&app->stamp, status);
    return 0;
}

static int read_text(struct lazy_app *app, int fd, struct lazy_error *error)
{
    size_t length = 0;
    struct stat status;
    ssize_t got;

    if (lazy_call_fstat(fd, &status) < 0)
        return fail(errno, "the app file can't be read", error);
    if (check_file(app, &status, error) < 0)
        return -1;
    do {
        got = read(fd, app->text + length, (size_t)status.st_size - length);
        if (got < 0 && errno != EINTR)
            return fail(errno, "the app file can't be read", error);
        length += got > 0 ? (size_t)got : 0;
    } while (got != 0 && length < (size_t)status.st_size);
    app->text[length] = '\0';
    if (strlen(app->text) != length)
        return fail(0, "the app file has a NUL byte: it must be plain text", error);
    return 0;
}

static int parse(struct lazy_app *app, struct lazy_error *error)
{
    struct lazy_lines lines = {.next = app->text};
    enum lazy_line line;
    char *key, *value;

    lazy_settings_begin(&app->settings);
    app->socket_line = 0;
    while ((line = lazy_lines_next(&lines, &key, &value)) != LAZY_LINE_END) {
        if (line == LAZY_LINE_MALFORMED)
            lazy_error_set(error, LAZY_APP, 0, "'%s' is not 'key = value'", key);
        if (line == LAZY_LINE_MALFORMED ||
            lazy_settings_set(&app->settings, key, value, error) < 0)
            return fail_at(lines.number, error);
        if (app->settings.socket != NULL && app->socket_line == 0)
            app->socket_line = lines.number;
    }
    lazy_settings_defaults(&app->settings);
    return 0;
}

/* The strings up to a NULL, joined in what is left of app->paths. */
static const char *join(struct lazy_text *paths, const char *a, const char *b, const char *c)
{
    const char *start = paths->start + paths->length;

    lazy_text_format(paths, "%s%s%s", a, b, c);
    lazy_text_bytes(paths, "", 1); /* keep the NUL */
    return start;
}

/* A path of the app file: relative ones are relative to the app file's folder. */
static const char *resolve(struct lazy_text *paths, const char *folder, const char *path)
{
    return *path == '/' ? path : join(paths, folder, "/", path);
}

/* The app file's absolute path, then its folder and name. */
static const char *locate(struct lazy_app *app, struct lazy_text *paths, const char *file,
                          struct lazy_error *error)
{
    char here[PATH_MAX];
    const char *folder, *slash;

    while (strncmp(file, "./", 2) == 0)
        for (file++; *file == '/'; file++)
            ;
    if (*file == '/')
        app->file = join(paths, file, "", "");
    else if (lazy_call_getcwd(here, sizeof here))
        app->file = join(paths, here, "/", file);
    else
        return lazy_error_set(error, LAZY_APP, errno, "the working folder has no path"), NULL;
    slash = strrchr(app->file, '/');
    app->name = slash + 1;
    folder = paths->start + paths->length;
    lazy_text_bytes(paths, app->file, (size_t)(slash - app->file));
    lazy_text_bytes(paths, "", 1);
    return folder;
}

/* Homes on NFS are mounted on several hosts, and locks, sockets and pids are a host's own. */
static const char *default_state_dir(struct lazy_text *paths, const char *folder)
{
    struct utsname host;

    if (uname(&host) < 0)
        host.nodename[0] = '\0';
    for (char *at = host.nodename; *at != '\0'; at++)
        if (*at == '/')
            *at = '_';
    return join(paths, folder, "/.lazyscgi-", host.nodename);
}

/* A socket given as a relative path must name a folder ("run/app.sock"), to differ from host:port. */
static const char *resolve_socket(struct lazy_text *paths, const char *folder, const char *socket)
{
    if (strncmp(socket, "unix:", 5) == 0)
        return resolve(paths, folder, socket + 5);
    if (*socket == '@' || strchr(socket, '/') == NULL)
        return socket;
    return resolve(paths, folder, socket);
}

/* A slash at its end would let a link pass for the folder: see lazy_folder_open(). */
static void cut_slashes(char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
}

static void resolve_state_dir(struct lazy_app *app, struct lazy_text *paths, const char *folder,
                              const struct lazy_home *home)
{
    if (app->settings.state_dir != NULL) {
        app->state_dir = resolve(paths, folder, app->settings.state_dir);
        cut_slashes((char *)app->state_dir);
    } else if (home != NULL && app->owner != geteuid()) {
        app->state_dir = home->folder;
        app->name = home->name;
    } else {
        app->state_dir = default_state_dir(paths, folder);
    }
}

static int resolve_all(struct lazy_app *app, struct lazy_text *paths, const char *folder,
                       const struct lazy_home *home, struct lazy_error *error)
{
    const struct lazy_settings *settings = &app->settings;

    app->directory = settings->directory ? resolve(paths, folder, settings->directory)
                     : *folder           ? folder
                                         : "/";
    resolve_state_dir(app, paths, folder, home);
    app->log = settings->log ? resolve(paths, folder, settings->log)
                             : join(paths, app->state_dir, "/", join(paths, app->name, ".log", ""));
    app->socket = settings->socket
                      ? resolve_socket(paths, folder, settings->socket)
                      : join(paths, app->state_dir, "/", join(paths, app->name, ".sock", ""));
    if (paths->cut || strlen(app->name) + SUFFIX_MAX > NAME_MAX)
        return fail(0, "the paths of this app are too long", error);
    if (strchr(app->file, '\n') != NULL) /* it would begin a line of the state, or of a log */
        return fail(0, "the app file's path must not hold a line end", error);
    if (lazy_address_parse(&app->address, app->socket, error) == 0)
        return 0;
    return app->socket_line > 0 ? fail_at(app->socket_line, error) : -1;
}

int lazy_app_load(struct lazy_app *app, const char *file, const struct lazy_home *home,
                  struct lazy_error *error)
{
    struct lazy_text paths;
    const char *folder;
    int fd, result;

    lazy_text_begin(&paths, app->paths, sizeof app->paths);
    folder = locate(app, &paths, file, error);
    if (folder == NULL)
        return -1;
    fd = lazy_call_open(AT_FDCWD, file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return fail(errno, "the app file can't be read", error);
    result = read_text(app, fd, error);
    close(fd);
    if (result == 0)
        result = parse(app, error);
    if (result == 0)
        result = resolve_all(app, &paths, folder, home, error);
    return result;
}

bool lazy_app_trusts(const struct lazy_app *app, uid_t user)
{
    return user == app->owner || user == 0 || user == geteuid();
}

void lazy_app_file_name(const struct lazy_app *app, const char *suffix, char *name)
{
    struct lazy_text text;

    lazy_text_begin(&text, name, NAME_MAX + 1);
    lazy_text_format(&text, "%s%s", app->name, suffix);
}

void lazy_app_file_path(const struct lazy_app *app, const char *suffix, char *path)
{
    struct lazy_text text;

    lazy_text_begin(&text, path, LAZY_APP_PATHS_MAX);
    lazy_text_format(&text, "%s/%s%s", app->state_dir, app->name, suffix);
}

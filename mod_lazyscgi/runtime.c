#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <unixd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "directives.h"
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

APLOG_USE_MODULE(lazyscgi);

const char *lazy_runtime_folder;

/* FNV-1a: tells names apart that look the same once they are file names. */
static apr_uint32_t hash(const char *text)
{
    apr_uint64_t sum = 14695981039346656037U;

    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * 1099511628211U;
    return (apr_uint32_t)(sum >> 32);
}

void lazy_runtime_name(char *name, const char *readable, const char *whole)
{
    int length = 0;

    for (; *readable != '\0' && length < 40; readable++)
        name[length++] = apr_isalnum(*readable) || *readable == '.' ? *readable : '_';
    apr_snprintf(name + length, (apr_size_t)(LAZY_RUNTIME_NAME - length), "-%08x", hash(whole));
}

/* A third user may have left anything in his folder. */
static bool is_ours(const struct stat *status)
{
    errno = EPERM;
    return status->st_uid == geteuid() || status->st_uid == ap_unixd_config.user_id;
}

/* Gives the folder to httpd's user, without following a link. */
static bool hand_over(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    bool done = folder >= 0 && fstat(folder, &status) == 0 && is_ours(&status) &&
                (geteuid() != 0 ||
                 fchown(folder, ap_unixd_config.user_id, ap_unixd_config.group_id) == 0);
    int errnum = errno;

    if (folder >= 0)
        close(folder);
    errno = errnum;
    return done;
}

void lazy_runtime_prepare(apr_pool_t *pool, server_rec *server)
{
    lazy_runtime_folder = ap_runtime_dir_relative(pool, "lazyscgi");
    if ((mkdir(lazy_runtime_folder, 0700) < 0 && errno != EEXIST) || !hand_over(lazy_runtime_folder))
        ap_log_error(APLOG_MARK, APLOG_WARNING, APR_FROM_OS_ERROR(errno), server,
                     "lazyscgi: the folder %s can't be made or given to httpd's user: apps need a "
                     "'state-dir' of their own", lazy_runtime_folder);
}

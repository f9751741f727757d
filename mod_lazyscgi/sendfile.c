#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include "directives.h"
#include "sendfile.h"

#include <stdbool.h>
#include <stdlib.h>

APLOG_USE_MODULE(lazyscgi);

/* `path` has no link or dot left in it, and neither have the folders. */
static bool is_allowed(const apr_array_header_t *folders, const char *path)
{
    for (int i = 0; i < folders->nelts; i++) {
        const char *folder = APR_ARRAY_IDX(folders, i, const char *);
        size_t length = strlen(folder);

        while (length > 0 && folder[length - 1] == '/')
            length--;
        if (strncmp(path, folder, length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

static int refuse(request_rec *request, apr_status_t status, int http_status, const char *path,
                  const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, status, request, "lazyscgi: X-Sendfile: %s %s", path, why);
    return http_status;
}

int lazy_sendfile_add(request_rec *request, const apr_array_header_t *folders, const char *path,
                      apr_bucket_brigade *brigade)
{
    char *whole = *path == '/' ? realpath(path, NULL) : NULL;
    apr_status_t status;
    apr_file_t *file;
    apr_finfo_t info;

    if (whole == NULL)
        return refuse(request, APR_FROM_OS_ERROR(errno), HTTP_NOT_FOUND, path, "can't be found");
    path = apr_pstrdup(request->pool, whole);
    free(whole);
    if (!is_allowed(folders, path))
        return refuse(request, 0, HTTP_FORBIDDEN, path, "is in no folder of LazySCGISendfile");
    status = apr_file_open(&file, path, APR_READ | APR_BINARY | APR_SENDFILE_ENABLED, APR_OS_DEFAULT,
                           request->pool);
    if (status == APR_SUCCESS)
        status = apr_file_info_get(&info, APR_FINFO_NORM, file);
    if (status != APR_SUCCESS)
        return refuse(request, status, HTTP_NOT_FOUND, path, "can't be opened");
    if (info.filetype != APR_REG)
        return refuse(request, 0, HTTP_FORBIDDEN, path, "is no regular file");
    if (request->mtime == 0) {
        ap_update_mtime(request, info.mtime);
        ap_set_last_modified(request);
    }
    ap_set_accept_ranges(request);
    ap_set_content_length(request, info.size);
    apr_brigade_insert_file(brigade, file, 0, info.size, request->pool);
    return OK;
}

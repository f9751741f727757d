#include <httpd.h>
#include <util_script.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "head.h"

/* There is no file behind the URL, so there is nothing to translate PATH_INFO to. */
static void set_mount_variables(request_rec *request, const struct lazy_mount *mount, const char *file)
{
    apr_table_t *variables = request->subprocess_env;

    apr_table_setn(variables, "SCRIPT_NAME", mount->script_name);
    apr_table_setn(variables, "PATH_INFO", mount->path_info);
    apr_table_setn(variables, "SCRIPT_FILENAME", file);
    apr_table_unset(variables, "PATH_TRANSLATED");
}

static void add_all(struct lazy_request *encoded, const request_rec *request)
{
    const apr_array_header_t *variables = apr_table_elts(request->subprocess_env);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)variables->elts;

    for (int i = 0; i < variables->nelts; i++)
        if (entries[i].key != NULL && entries[i].val != NULL)
            lazy_request_add(encoded, entries[i].key, strlen(entries[i].key), entries[i].val);
}

#define USUAL_SIZE 4096

static void encode(struct lazy_request *encoded, const request_rec *request, long long content_length)
{
    size_t size = USUAL_SIZE;

    for (;; size = encoded->needed) {
        lazy_request_begin(encoded, apr_palloc(request->pool, size), size, content_length);
        add_all(encoded, request);
        if (lazy_request_end(encoded) == 0)
            return;
    }
}

void lazy_head_encode(request_rec *request, const struct lazy_mount *mount, const char *file,
                      long long content_length, struct lazy_request *encoded)
{
    char *path_info = request->path_info;

    if (mount != NULL)
        request->path_info = NULL; /* else httpd looks up what it would be as a URL of its own */
    ap_add_common_vars(request);
    ap_add_cgi_vars(request);
    request->path_info = path_info;
    if (mount != NULL)
        set_mount_variables(request, mount, file);
    encode(encoded, request, content_length);
}

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

static int encode(struct lazy_request *encoded, char *storage, size_t size, const request_rec *request,
                  long long content_length)
{
    lazy_request_begin(encoded, storage, size, content_length);
    add_all(encoded, request);
    return lazy_request_end(encoded);
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
    apr_table_compress(request->subprocess_env, APR_OVERLAP_TABLES_SET); /* each once */
    encode(encoded, NULL, 0, request, content_length);
    encode(encoded, apr_palloc(request->pool, encoded->needed), encoded->needed, request,
           content_length);
}

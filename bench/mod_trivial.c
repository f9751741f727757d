/* The floor for mod_lazyscgi: an httpd module that writes the reply of backend.c itself, and under
 * /trivial/flush hands it over at once. */

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include <string.h>

static int is_ours(const request_rec *r)
{
    return strncmp(r->uri, "/trivial/", 9) == 0;
}

static int handle(request_rec *r)
{
    static char block[4096];
    apr_off_t size = r->args == NULL ? 0 : apr_atoi64(r->args);

    if (!is_ours(r))
        return DECLINED;
    memset(block, 'x', sizeof block);
    ap_set_content_type(r, "text/plain");
    ap_set_content_length(r, size);
    for (; size > 0; size -= (apr_off_t)sizeof block)
        ap_rwrite(block, size < (apr_off_t)sizeof block ? (int)size : (int)sizeof block, r);
    if (strncmp(r->uri, "/trivial/flush", 14) == 0)
        ap_rflush(r);
    return OK;
}

/* No file is behind it. */
static int map(request_rec *r)
{
    return is_ours(r) ? OK : DECLINED;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_translate_name(map, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(map, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(trivial) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0};

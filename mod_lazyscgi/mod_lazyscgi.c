/* mod_lazyscgi: core/ inside Apache httpd. What it does is in the files that its hooks name. */

#include <httpd.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>

#include <apr_optional_hooks.h>

#include "apps.h"
#include "board.h"
#include "directives.h"
#include "inline.h"
#include "mount.h"
#include "runtime.h"
#include "status.h"
#include "visit.h"

static int before_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *temporary)
{
    (void)pool, (void)log_pool, (void)temporary;
    lazy_max_waiters = -1;
    return OK;
}

static int after_config(apr_pool_t *pool, apr_pool_t *log_pool, apr_pool_t *temporary,
                        server_rec *server)
{
    apr_status_t status;

    (void)log_pool, (void)temporary;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK; /* httpd reads its configuration twice */
    status = lazy_board_create(server);
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, status, server,
                     "lazyscgi: no memory that httpd's children could share");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    lazy_runtime_prepare(pool, server);
    lazy_inline_begin();
    return OK;
}

static void in_child(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    lazy_board_join();
    lazy_apps_begin(pool);
}

static void register_hooks(apr_pool_t *pool)
{
    /* a URL that is mounted is no file's, whatever it is an alias for */
    static const char *const after_mounts[] = {"mod_alias.c", "mod_userdir.c", "mod_vhost_alias.c", NULL};
    static const char *const rewriting[] = {"mod_rewrite.c", NULL};

    (void)pool;
    ap_hook_pre_config(before_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(after_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(in_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(lazy_mount_translate, rewriting, after_mounts, APR_HOOK_MIDDLE);
    ap_hook_map_to_storage(lazy_mount_map, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_fixups(lazy_mount_fixup, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_handler(lazy_visit_handle, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, lazy_status_show, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(lazyscgi) = {
    STANDARD20_MODULE_STUFF,
    lazy_section_create,
    lazy_section_merge,
    NULL,
    NULL,
    lazy_directives,
    register_hooks,
    0,
};

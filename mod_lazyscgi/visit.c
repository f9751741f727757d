#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include <apr_portable.h>
#include <apr_strings.h>

#include "failure.h"
#include "head.h"
#include "reply.h"
#include "visit.h"

#include <poll.h>

APLOG_USE_MODULE(lazyscgi);

/* ---- what the core asks and tells --------------------------------------------------------------- */

/* An HTTP/2 stream has no descriptor of its own. */
static bool is_gone(void *context)
{
    const struct lazy_visit *visit = context;
    const conn_rec *connection = visit->request->connection;

    return connection->aborted || connection->master->aborted;
}

static bool may_wait(void *context)
{
    struct lazy_visit *visit = context;

    if (!visit->waits)
        visit->waits = lazy_board_wait(visit->loaded->row);
    return visit->waits;
}

void lazy_visit_wait_over(struct lazy_visit *visit)
{
    if (visit->waits)
        lazy_board_wait_over(visit->loaded->row);
    visit->waits = false;
}

static void see_server(const struct lazy_visit *visit, enum lazy_board_server server)
{
    /* others read it: so it isn't written for every request */
    if (visit->loaded->row != NULL && atomic_load(&visit->loaded->row->server) != (int)server)
        atomic_store(&visit->loaded->row->server, server);
}

static void on_event(void *context, enum lazy_event event, int ms, const char *sentence)
{
    const struct lazy_visit *visit = context;
    request_rec *request = visit->request;
    const struct lazy_app *app = &visit->loaded->app;

    switch (event) {
    case LAZY_EVENT_START:
    case LAZY_EVENT_RESTART:
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, request, "lazyscgi: %s: %s %s", visit->file,
                      event == LAZY_EVENT_START ? "no server listens, so one is started at"
                                                : "it was touched, so the server is restarted at",
                      app->socket);
        if (visit->loaded->row != NULL)
            atomic_fetch_add(&visit->loaded->row->starts, 1);
        see_server(visit, LAZY_SERVER_STARTING);
        break;
    case LAZY_EVENT_HUNG:
        if (visit->loaded->row != NULL)
            atomic_fetch_add(&visit->loaded->row->starts, 1);
        see_server(visit, LAZY_SERVER_STARTING);
        break;
    case LAZY_EVENT_UP:
        ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, request,
                      "lazyscgi: %s: the server listens after %d ms", visit->file, ms);
        break;
    case LAZY_EVENT_FAILED:
        if (visit->loaded->row != NULL)
            atomic_fetch_add(&visit->loaded->row->failed_starts, 1);
        break;
    case LAZY_EVENT_NOTICE:
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, request, "lazyscgi: %s: %s", visit->file, sentence);
    }
}

static void set_front(struct lazy_visit *visit)
{
    const conn_rec *connection = visit->request->connection;
    apr_os_sock_t descriptor;

    visit->front = (struct lazy_front){.visitor = -1, .visitor_events = POLLRDHUP,
                                       .may_wait = may_wait, .event = on_event, .context = visit};
    if (connection->master != NULL)
        visit->front.is_gone = is_gone;
    else if (apr_os_sock_get(&descriptor, ap_get_conn_socket(visit->request->connection)) == APR_SUCCESS)
        visit->front.visitor = descriptor;
}

/* ---- one visit ------------------------------------------------------------------------------------ */

/* With AddHandler every extension of a name counts, so that of app.lscgi.log as well: but what a server
 * has printed must never be taken for settings. */
static bool is_own_file(const char *file)
{
    static const char *const suffixes[] = {".log", ".state", ".lock", ".wait", ".new", ".silence"};
    const char *end = strrchr(file, '.');

    if (strstr(file, "/.lazyscgi-") != NULL)
        return true;
    for (size_t i = 0; end != NULL && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcmp(end, suffixes[i]) == 0)
            return true;
    return false;
}

/* As for a CGI script: the file must be there, and be allowed to run something. */
static int check_file(request_rec *request)
{
    if (is_own_file(request->filename)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, request, "lazyscgi: %s: this is no app file",
                      request->filename);
        return HTTP_FORBIDDEN;
    }
    if (!(ap_allow_options(request) & OPT_EXECCGI)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, request,
                      "lazyscgi: %s: Options ExecCGI is off in this folder", request->filename);
        return HTTP_FORBIDDEN;
    }
    if (request->finfo.filetype == APR_NOFILE) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, request, "lazyscgi: %s: there is no such app file",
                      request->filename);
        return HTTP_NOT_FOUND;
    }
    if (request->finfo.filetype == APR_DIR)
        return HTTP_FORBIDDEN;
    if (request->used_path_info == AP_REQ_REJECT_PATH_INFO && request->path_info != NULL &&
        *request->path_info != '\0')
        return HTTP_NOT_FOUND;
    return OK;
}

/* Connects, with the body as far as that has to be read before. */
static int begin_exchange(struct lazy_visit *visit, struct lazy_error *error)
{
    const struct lazy_app *app = &visit->loaded->app;
    struct lazy_input *input = &visit->input;
    bool is_asked = visit->request->expecting_100; /* a visitor who waits to hear that we take a body */
    int result;

    if (input->is_unknown && !is_asked && lazy_input_spool(input, app, error) < 0)
        return -1;
    result = lazy_exchange_begin(&visit->exchange, app, &visit->front, error);
    lazy_visit_wait_over(visit);
    if (result == 0 && input->is_unknown && is_asked)
        result = lazy_input_spool(input, app, error);
    return result;
}

static int forward(struct lazy_visit *visit, int *result, struct lazy_error *error)
{
    request_rec *request = visit->request;

    visit->loaded = lazy_apps_get(request, visit->section, &visit->file, error);
    if (visit->loaded == NULL ||
        lazy_input_begin(&visit->input, request, visit->front.visitor, error) < 0 ||
        begin_exchange(visit, error) < 0)
        return -1;
    see_server(visit, LAZY_SERVER_UP);
    lazy_head_encode(request, visit->mount, visit->file, visit->input.body.length, &visit->encoded);
    lazy_exchange_send(&visit->exchange, &visit->encoded, &visit->input.body);
    return lazy_reply_pass(visit, result, error);
}

static void count(const struct lazy_visit *visit, const struct lazy_error *error)
{
    struct lazy_board_app *row = visit->loaded != NULL ? visit->loaded->row : NULL;

    if (row == NULL)
        return;
    atomic_fetch_add(error == NULL ? &row->requests : &row->failures, 1);
    if (error == NULL)
        return;
    if (error->failure == LAZY_START || (error->failure == LAZY_UNREACHABLE && error->errnum == 0))
        see_server(visit, LAZY_SERVER_DOWN);
}

static int fail(struct lazy_visit *visit, const struct lazy_error *error)
{
    request_rec *request = visit->request;

    lazy_failure_log(request, visit->file, error);
    if (!visit->input.is_over)
        request->connection->keepalive = AP_CONN_CLOSE; /* nobody reads the body */
    if (visit->input.status != 0 && !request->connection->aborted)
        return visit->input.status; /* httpd knows better what is wrong with it */
    return lazy_failure_answer(request, error);
}

int lazy_visit_handle(request_rec *request)
{
    struct lazy_visit *visit;
    struct lazy_error error;
    int result;

    if (request->handler == NULL || strcmp(request->handler, LAZY_HANDLER) != 0)
        return DECLINED;
    visit = apr_pcalloc(request->pool, sizeof *visit);
    visit->request = request;
    visit->mount = lazy_mount_of(request);
    visit->section = visit->mount != NULL
                         ? visit->mount->section
                         : ap_get_module_config(request->per_dir_config, &lazyscgi_module);
    visit->exchange.fd = visit->exchange.silence = -1;
    if (visit->mount == NULL && (result = check_file(request)) != OK)
        return result;
    set_front(visit);
    if (forward(visit, &result, &error) < 0) {
        count(visit, &error);
        result = fail(visit, &error);
    } else {
        count(visit, NULL);
    }
    lazy_exchange_end(&visit->exchange);
    return result;
}

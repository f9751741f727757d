#include <httpd.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "board.h"
#include "status.h"

static const char *const servers[] = {
    [LAZY_SERVER_UNKNOWN] = "unknown",
    [LAZY_SERVER_UP] = "up",
    [LAZY_SERVER_STARTING] = "starting",
    [LAZY_SERVER_DOWN] = "down",
};

#define COUNT "%" APR_UINT64_T_FMT

static apr_uint64_t get(const atomic_ullong *counter)
{
    return atomic_load(counter);
}

static void show_line(request_rec *request, int index, const struct lazy_board_app *app)
{
    ap_rprintf(request, "LazySCGI[%d]App: %s\nLazySCGI[%d]Server: %s\nLazySCGI[%d]Waiting: %d\n",
               index, app->name, index, servers[atomic_load(&app->server)], index,
               lazy_board_waiting(app));
    ap_rprintf(request,
               "LazySCGI[%d]Starts: " COUNT "\nLazySCGI[%d]FailedStarts: " COUNT
               "\nLazySCGI[%d]Failures: " COUNT "\nLazySCGI[%d]Requests: " COUNT "\n",
               index, get(&app->starts), index, get(&app->failed_starts), index,
               get(&app->failures), index, get(&app->requests));
}

static void show_row(request_rec *request, const struct lazy_board_app *app)
{
    ap_rprintf(request,
               "<tr><td>%s</td><td>%s</td><td>%d</td><td>" COUNT "</td><td>" COUNT "</td><td>" COUNT
               "</td><td>" COUNT "</td></tr>\n",
               ap_escape_html(request->pool, app->name), servers[atomic_load(&app->server)],
               lazy_board_waiting(app), get(&app->starts), get(&app->failed_starts),
               get(&app->failures), get(&app->requests));
}

int lazy_status_show(request_rec *request, int flags)
{
    const struct lazy_board_app *app;

    if (flags & AP_STATUS_SHORT)
        ap_rprintf(request, "LazySCGIWaiting: %d\nLazySCGIMaxWaiters: %d\n", lazy_board_waiting(NULL),
                   lazy_board_most_waiting());
    else
        ap_rprintf(request, "<hr />\n<h2>LazySCGI</h2>\n"
                            "<p>%d requests wait for starts, of %d that may.</p>\n"
                            "<table border=\"0\"><tr><th>App</th><th>Server</th><th>Waiting</th>"
                            "<th>Starts</th><th>Failed starts</th><th>Failures</th>"
                            "<th>Requests</th></tr>\n",
                   lazy_board_waiting(NULL), lazy_board_most_waiting());
    for (int i = 0; (app = lazy_board_row(i)) != NULL; i++) {
        if (flags & AP_STATUS_SHORT)
            show_line(request, i, app);
        else
            show_row(request, app);
    }
    if (!(flags & AP_STATUS_SHORT))
        ap_rputs("</table>\n", request);
    return OK;
}

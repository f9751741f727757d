#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <ap_mpm.h>

#include <apr_shm.h>
#include <apr_strings.h>

#include "board.h"
#include "directives.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

APLOG_USE_MODULE(lazyscgi);

/* In the parent this outlives the configuration, and so does the shared memory. */
struct retained {
    struct lazy_board_app *apps;
    struct lazy_board_child *children;
    int child_count;
};

static struct retained *board;
static struct lazy_board_child *self;
static int most_waiting;

apr_status_t lazy_board_create(server_rec *server)
{
    static const char name[] = "mod_lazyscgi-board";
    int children = 1, threads = 1;
    apr_size_t size;
    apr_shm_t *memory;
    apr_status_t status;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &children);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    most_waiting = lazy_max_waiters >= 0 ? lazy_max_waiters : children * (threads > 0 ? threads : 1) / 2;
    if (most_waiting < 1 && lazy_max_waiters < 0)
        most_waiting = 1;
    board = ap_retained_data_get(name);
    if (board != NULL)
        return APR_SUCCESS;
    /* the limit of children can't change while httpd runs; old ones may be there beside new ones */
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    size = sizeof *board->apps * LAZY_BOARD_APPS + sizeof *board->children * (apr_size_t)children;
    status = apr_shm_create(&memory, size, NULL, server->process->pool);
    if (status != APR_SUCCESS)
        return status;
    memset(apr_shm_baseaddr_get(memory), 0, size);
    board = ap_retained_data_create(name, sizeof *board);
    board->apps = apr_shm_baseaddr_get(memory);
    board->children = (struct lazy_board_child *)(board->apps + LAZY_BOARD_APPS);
    board->child_count = children;
    return APR_SUCCESS;
}

/* What a crashed child has counted, nobody counts back. */
static bool is_dead(int pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static bool take(struct lazy_board_child *child, int pid)
{
    int found = atomic_load(&child->pid);

    if (found != 0 && !is_dead(found))
        return false;
    if (!atomic_compare_exchange_strong(&child->pid, &found, pid))
        return false;
    atomic_store(&child->waiting, 0);
    for (int i = 0; i < LAZY_BOARD_APPS; i++)
        atomic_store(&child->app_waiting[i], 0);
    return true;
}

void lazy_board_join(void)
{
    static struct lazy_board_child spare; /* its requests are then counted by itself */

    self = &spare;
    for (int i = 0; board != NULL && i < board->child_count; i++)
        if (take(&board->children[i], (int)getpid())) {
            self = &board->children[i];
            break;
        }
}

static bool is_named(struct lazy_board_app *app, const char *name)
{
    while (atomic_load(&app->used) == 1)
        sched_yield(); /* somebody copies a name */
    return strncmp(app->name, name, LAZY_BOARD_NAME - 1) == 0;
}

struct lazy_board_app *lazy_board_find(const char *name)
{
    for (int i = 0; board != NULL && i < LAZY_BOARD_APPS; i++) {
        struct lazy_board_app *app = &board->apps[i];
        int free_row = 0;

        if (atomic_compare_exchange_strong(&app->used, &free_row, 1)) {
            apr_cpystrn(app->name, name, LAZY_BOARD_NAME);
            atomic_store(&app->used, 2);
            return app;
        }
        if (is_named(app, name))
            return app;
    }
    return NULL;
}

struct lazy_board_app *lazy_board_row(int index)
{
    if (board == NULL || index >= LAZY_BOARD_APPS || atomic_load(&board->apps[index].used) != 2)
        return NULL;
    return &board->apps[index];
}

int lazy_board_waiting(const struct lazy_board_app *app)
{
    int sum = 0;

    for (int i = 0; board != NULL && i < board->child_count; i++) {
        struct lazy_board_child *child = &board->children[i];
        int waiting = atomic_load(app != NULL ? &child->app_waiting[app - board->apps]
                                              : &child->waiting);

        if (waiting > 0 && !is_dead(atomic_load(&child->pid)))
            sum += waiting;
    }
    return sum;
}

int lazy_board_most_waiting(void)
{
    return most_waiting;
}

static void count(const struct lazy_board_app *app, int difference)
{
    atomic_fetch_add(&self->waiting, difference);
    if (app != NULL)
        atomic_fetch_add(&self->app_waiting[app - board->apps], difference);
}

bool lazy_board_wait(struct lazy_board_app *app)
{
    count(app, 1);
    if (lazy_board_waiting(NULL) <= most_waiting)
        return true;
    count(app, -1);
    return false;
}

void lazy_board_wait_over(struct lazy_board_app *app)
{
    count(app, -1);
}

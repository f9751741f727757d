/* What all of httpd's children share: how many requests wait, and what admins see of the apps. It stays
 * through restarts, and all of it may be read and written at any time by any thread. */
#ifndef LAZY_BOARD_H
#define LAZY_BOARD_H

#include <httpd.h>

#include <stdatomic.h>
#include <stdbool.h>

#define LAZY_BOARD_APPS 256 /* more are served as well, but not shown */
#define LAZY_BOARD_NAME 240 /* bytes of an app file's path that are shown */

enum lazy_board_server { LAZY_SERVER_UNKNOWN, LAZY_SERVER_UP, LAZY_SERVER_STARTING, LAZY_SERVER_DOWN };

/* One app. */
struct lazy_board_app {
    atomic_int used; /* 0: free; 1: being filled in; 2: the name is valid */
    char name[LAZY_BOARD_NAME];
    atomic_int server;    /* enum lazy_board_server, as the last request found it */
    atomic_ullong starts; /* begun by requests of this httpd */
    atomic_ullong failed_starts;
    atomic_ullong failures; /* requests that lazyscgi had to answer itself */
    atomic_ullong requests; /* that got the server's reply */
};

/* One child of httpd. A new child that takes the place of a crashed one begins anew. */
struct lazy_board_child {
    atomic_int pid; /* 0: free */
    atomic_int waiting;
    atomic_int app_waiting[LAZY_BOARD_APPS];
};

/* Makes the board, in httpd's parent. */
apr_status_t lazy_board_create(server_rec *server);

/* Takes a place, in a new child. */
void lazy_board_join(void);

/* The row of an app, or NULL when there is no room. */
struct lazy_board_app *lazy_board_find(const char *name);

/* The row at `index`, or NULL behind the last. */
struct lazy_board_app *lazy_board_row(int index);

/* One more request waits; false, and it does not, when as many as may do already. */
bool lazy_board_wait(struct lazy_board_app *app);

/* It waits no more. */
void lazy_board_wait_over(struct lazy_board_app *app);

/* How many wait, for one app or (NULL) for all; and how many may. */
int lazy_board_waiting(const struct lazy_board_app *app);
int lazy_board_most_waiting(void);

#endif

/* What the unit tests share. */
#ifndef LAZY_UNIT_H
#define LAZY_UNIT_H

#include "core/app.h"

#include <check.h>
#include <stdbool.h>
#include <sys/types.h>

/* A new test case of the suite; each of its tests runs in a temporary folder of its own, which is its
 * working directory and is removed afterwards. */
TCase *unit_case(Suite *suite, const char *name);

/* The absolute path of a file in that folder; good until the test ends. */
const char *unit_path(const char *name);

/* Writes a file into the folder. */
void unit_write(const char *name, const char *text, mode_t mode);

/* The text of a file in the folder, "" when there is none; good until the next call. */
const char *unit_read(const char *name);

/* Writes "app.cgi" and loads it; must succeed. One app at a time. */
struct lazy_app *unit_app(const char *text);

/* Listens at a Unix socket; returns the descriptor. */
int unit_listen(const char *path, int backlog);

/* Whether `holds` does in a child that isn't root, who may do everything; true, and says so, where
 * root can't become another user. */
bool unit_as_user(bool (*holds)(void));

/* Waits until the condition is true, or fails the test after ten seconds. */
#define unit_wait(condition)                                                                        \
    do {                                                                                             \
        int tries_left = 10000;                                                                      \
        while (!(condition) && tries_left-- > 0)                                                     \
            usleep(1000);                                                                            \
        ck_assert_msg(tries_left > 0, "in vain waited for: %s", #condition);                        \
    } while (0)

/* How many descriptors this process has open. */
int unit_descriptors(void);

/* One for each file of core/. */
Suite *address_suite(void);
Suite *app_suite(void);
Suite *attempt_suite(void);
Suite *bell_suite(void);
Suite *clock_suite(void);
Suite *deadline_suite(void);
Suite *due_suite(void);
Suite *error_suite(void);
Suite *exchange_suite(void);
Suite *folder_suite(void);
Suite *front_suite(void);
Suite *hang_suite(void);
Suite *leader_suite(void);
Suite *lines_suite(void);
Suite *lock_suite(void);
Suite *memo_suite(void);
Suite *mark_suite(void);
Suite *page_suite(void);
Suite *process_suite(void);
Suite *reply_suite(void);
Suite *request_suite(void);
Suite *restart_suite(void);
Suite *server_suite(void);
Suite *settings_suite(void);
Suite *spawn_suite(void);
Suite *spool_suite(void);
Suite *starter_suite(void);
Suite *state_suite(void);
Suite *stop_suite(void);
Suite *text_suite(void);
Suite *upload_suite(void);
Suite *value_suite(void);
Suite *variables_suite(void);
Suite *watch_suite(void);

#endif

/* Runs the unit tests. Under valgrind: CK_FORK=no. */

#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>

int main(void)
{
    Suite *(*const suites[])(void) = {
        address_suite, app_suite, attempt_suite, bell_suite, clock_suite, deadline_suite, due_suite,
        error_suite, exchange_suite, folder_suite, front_suite, hang_suite, leader_suite,
        lines_suite, lock_suite, mark_suite, memo_suite, page_suite, process_suite, reply_suite,
        request_suite, restart_suite, server_suite, settings_suite, spawn_suite, spool_suite,
        starter_suite, state_suite, stop_suite, text_suite, upload_suite, value_suite, variables_suite, watch_suite,
    };
    SRunner *runner = srunner_create(NULL);
    int failed;

    umask(022);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV); /* CK_VERBOSITY, CK_RUN_SUITE, CK_RUN_CASE: see check's manual */
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

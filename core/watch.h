/* Watching a start, until a server listens or the start has failed. */
#ifndef LAZY_WATCH_H
#define LAZY_WATCH_H

#include "starter.h"

#include <stdbool.h>

enum lazy_watch {
    LAZY_WATCH_UP,      /* the server listens */
    LAZY_WATCH_FAILED,  /* the start has failed; exit_status, signal and reason of the state say how */
    LAZY_WATCH_VANISHED /* the command, which was not ours to wait for, has ended and left no server */
};

/* Watches the start that starter->state tells of. Its command is `is_child`, or was left behind by a
 * starter before us: then start-timeout counts from its beginning. Listens to the leader. */
enum lazy_watch lazy_watch(struct lazy_starter *starter, bool is_child);

#endif

/* The leader: the request that took the lock and had the starter begin. */
#ifndef LAZY_LEADER_H
#define LAZY_LEADER_H

#include "attempt.h"

/* Listens to the starter over `link` and looks for the server, with the connection that its own
 * request will use: so no server ever meets a connection without a request. */
enum lazy_progress lazy_leader_lead(struct lazy_attempt *attempt, int link);

#endif

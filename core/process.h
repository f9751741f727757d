/* Whether a process is still the one it was: pids come round again, start times don't. */
#ifndef LAZY_PROCESS_H
#define LAZY_PROCESS_H

#include <sys/types.h>

struct lazy_process {
    pid_t pid;
    long long start; /* in clock ticks since boot (proc(5), stat, field 22) */
};

/* The start time of a living process; 0 when it has ended (zombies too) or the system has no /proc. */
long long lazy_process_start(pid_t pid);

/* Is it still that process? Never true with a start of 0. */
int lazy_process_alive(const struct lazy_process *process);

#endif

#include "linger.h"

/* When a reply has ended, httpd asks whether the process that it started has ended too. If not, it sleeps,
 * 10 ms in mod_cgid and 46 ms in mod_cgi, and the visitor's next request with it. But the reply ends when
 * stdout is closed, and that is in the middle of an exit: httpd wakes up, often on the same CPU, and finds
 * the process still there. So whoever closes stdout last must not be that process. */

#ifdef __linux__

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIMIT_MS 100 /* for a parent that is stopped before it has exited */

static pid_t parent;

/* The signal comes when the parent is as good as a zombie, traced or not: nobody who asks can see it
 * alive any more. */
__attribute__((no_sanitize_address)) /* which would not know our stack */
static int outlive(void *unused)
{
    (void)unused;
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        poll(NULL, 0, LIMIT_MS);
    _exit(0);
}

/* Shares our memory, which saves half of what a fork costs. */
void lazy_linger(void)
{
    static char stack[4096] __attribute__((aligned(16)));

    parent = getpid();
    clone(outlive, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
}

#else

void lazy_linger(void)
{
}

#endif

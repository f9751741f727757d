#include "stop.h"

#include "deadline.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 5000 /* between TERM and KILL */
#define GONE_MS 1000  /* how long a killed process may take to go */
#define STEP_MS 20

/* Waits until nobody is left under `target` (a pid, or minus a process group), or `most` ms. */
static bool wait_gone(pid_t target, int most)
{
    long long begin = lazy_now();

    while (lazy_now() - begin < most) {
        /* zombies of ours would count as somebody, and kept the group's number from coming round
         * until now */
        if (target < 0)
            while (waitpid(target, NULL, WNOHANG) > 0)
                ;
        if (kill(target, 0) < 0 && errno == ESRCH)
            return true;
        poll(NULL, 0, lazy_step(lazy_now() - begin, STEP_MS));
    }
    return false;
}

static bool end(pid_t target)
{
    if (kill(target, SIGTERM) < 0)
        return errno == ESRCH;
    if (wait_gone(target, GRACE_MS))
        return true;
    kill(target, SIGKILL);
    wait_gone(target, GONE_MS);
    return true;
}

void lazy_stop_session(const struct lazy_process *command)
{
    if (command->pid > 1)
        end(-command->pid);
}

bool lazy_stop_server(const struct lazy_state *state, const struct lazy_process *server)
{
    if (state->command.pid > 1 && lazy_process_alive(&state->command))
        return end(-state->command.pid);
    if (server->pid > 1 && lazy_process_alive(server) && server->start <= state->up_ticks)
        return end(getpgid(server->pid) == server->pid ? -server->pid : server->pid);
    return false;
}

void lazy_stop_clear_socket(const struct lazy_app *app)
{
    const char *path = lazy_address_path(&app->address);
    struct stat status;

    if (path != NULL && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

#include "stop.h"

#include "call.h"
#include "deadline.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 5000 /* between TERM and KILL */
#define GONE_MS 1000  /* how long a killed process may take to go */
#define STEP_MS 20

/* Is nobody left under `target` (a pid, or minus a process group)? */
static bool is_gone(pid_t target)
{
    /* zombies of ours would count as somebody, and kept the group's number from coming round until now */
    if (target < 0)
        while (waitpid(target, NULL, WNOHANG) > 0)
            ;
    return kill(target, 0) < 0 && errno == ESRCH;
}

static bool wait_gone(pid_t target, long long most)
{
    long long begin = lazy_now();

    while (lazy_now() - begin < most) {
        if (is_gone(target))
            return true;
        poll(NULL, 0, lazy_step(lazy_now() - begin, STEP_MS));
    }
    return false;
}

static void end(pid_t target)
{
    if (kill(target, SIGTERM) < 0)
        return;
    kill(target, SIGCONT); /* who was stopped can't end */
    if (wait_gone(target, GRACE_MS))
        return;
    kill(target, SIGKILL);
    wait_gone(target, GONE_MS);
}

/* What of the last start is still there to be signalled; 0: nothing. Pids come round again. */
static pid_t target_of(const struct lazy_state *state)
{
    pid_t server = state->server.pid;

    if (state->command.pid > 1 && lazy_process_alive(&state->command))
        return -state->command.pid;
    if (server > 1 && lazy_process_alive(&state->server))
        return getpgid(server) == server ? -server : server;
    return 0;
}

/* Runs the owner's 'stop', for as long as a start may take. True: it has exited 0. */
static bool run_stop(const struct lazy_app *app)
{
    long long deadline = lazy_now() + app->settings.start_timeout;
    int log = lazy_spawn_log(app), status = -1;
    pid_t command;

    if (log < 0)
        return false;
    command = lazy_spawn_command(app, app->settings.stop, log, NULL, NULL);
    close(log);
    while (command > 0 && waitpid(command, &status, WNOHANG) == 0) {
        if (lazy_deadline_left(deadline) == 0)
            kill(-command, SIGKILL);
        poll(NULL, 0, STEP_MS);
    }
    return status == 0;
}

void lazy_stop_start(const struct lazy_app *app, const struct lazy_state *state)
{
    if (state->command.pid > 1)
        end(-state->command.pid);
    if (app->settings.stop != NULL && state->exit_status == 0)
        run_stop(app);
}

void lazy_stop_server(const struct lazy_app *app, const struct lazy_state *state)
{
    pid_t target;

    if (app->settings.stop != NULL && run_stop(app)) {
        long long deadline = lazy_now() + GRACE_MS;

        while ((target_of(state) != 0 || lazy_address_listens(&app->address, NULL)) &&
               lazy_deadline_left(deadline) > 0)
            poll(NULL, 0, STEP_MS);
    }
    for (int tries = 0; tries < 2 && (target = target_of(state)) != 0; tries++)
        end(target);
}

void lazy_stop_rest(const struct lazy_app *app, const struct lazy_state *state)
{
    if (state->outcome == LAZY_STATE_STOPPING || target_of(state) != 0)
        lazy_stop_server(app, state);
}

void lazy_stop_clear_socket(const struct lazy_app *app)
{
    const char *path = lazy_address_path(&app->address);
    struct stat status;

    if (path != NULL && lazy_call_stat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

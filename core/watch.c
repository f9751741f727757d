#include "watch.h"

#include "clock.h"
#include "deadline.h"
#include "text.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_STEP_MS 4  /* at most, between two looks for the server */
#define VANISHED_MS 5000 /* for a server that was left behind by a command we can't ask */
#define WATCH_STEP_MS 10 /* at most, between two looks at the command */

/* The reason of a failure: what happened, a number, and what it means. */
static void set_reason(struct lazy_state *state, const char *what, int number, const char *meaning)
{
    struct lazy_text text;

    lazy_text_begin(&text, state->reason, sizeof state->reason);
    lazy_text_format(&text, "the start command %s%d%s", what, number, meaning);
}

static void set_timeout_reason(struct lazy_state *state, const struct lazy_app *app)
{
    struct lazy_text text;

    lazy_text_begin(&text, state->reason, sizeof state->reason);
    lazy_text_format(&text, "no server listened at %s within 'start-timeout', ", app->socket);
    lazy_text_duration(&text, app->settings.start_timeout);
}

enum command_fate { COMMAND_RUNS, COMMAND_LEFT, COMMAND_FAILED };

/* How the start command fares; its exit status 0 means that it has left a server behind. It isn't
 * reaped: as a zombie it keeps its number, and its session's, from coming round. */
static enum command_fate look_at_command(struct lazy_state *state, bool is_child)
{
    siginfo_t info = {.si_pid = 0};

    if (!is_child)
        return lazy_process_alive(&state->command) ? COMMAND_RUNS : COMMAND_LEFT;
    if (waitid(P_PID, (id_t)state->command.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return COMMAND_RUNS;
    if (info.si_code == CLD_EXITED) {
        state->exit_status = info.si_status;
        if (info.si_status == 0)
            return COMMAND_LEFT;
        set_reason(state, "exited with status ", info.si_status,
                   info.si_status == 127   ? " (command not found)"
                   : info.si_status == 126 ? " (command can't be run)"
                                           : "");
    } else {
        state->signal = info.si_status;
        set_reason(state, "was ended by signal ", info.si_status, "");
    }
    return COMMAND_FAILED;
}

/* Is there still somebody in the session of a command that has left, who may become the server? */
static bool has_session(const struct lazy_state *state)
{
    return state->command.pid > 1 && kill(-state->command.pid, 0) == 0;
}

/* Sleeps until the leader speaks or goes, or `timeout` ms. True: it has spoken. */
static bool listen_to_leader(struct lazy_starter *starter, int timeout)
{
    struct pollfd link = {.fd = starter->link, .events = POLLIN};
    pid_t *server = &starter->state.server.pid;

    if (poll(&link, 1, timeout) <= 0)
        return false;
    if (recv(starter->link, server, sizeof *server, MSG_DONTWAIT) == sizeof *server)
        return true;
    close(starter->link);
    starter->link = -1;
    return false;
}

static long long time_left(const struct lazy_starter *starter, bool is_child)
{
    long long whole = starter->app->settings.start_timeout;
    long long passed = is_child ? 0 : (lazy_clock_wall() - starter->state.started) * 1000;

    return passed < 0 || passed > whole ? 0 : whole - passed; /* < 0: the clock was set back */
}

enum lazy_watch lazy_watch(struct lazy_starter *starter, bool is_child)
{
    struct lazy_state *state = &starter->state;
    long long begin = lazy_now(), deadline = begin + time_left(starter, is_child);

    for (;;) {
        bool alone = starter->link < 0; /* the leader has gone: we look for the server ourselves */
        int left = lazy_deadline_left(deadline);
        int step = lazy_step(lazy_now() - begin, alone ? PROBE_STEP_MS : WATCH_STEP_MS);
        enum command_fate fate;

        if (listen_to_leader(starter, step < left ? step : left) ||
            (alone && lazy_address_listens(&starter->app->address, &state->server.pid)))
            return LAZY_WATCH_UP;
        fate = look_at_command(state, is_child);
        if (fate == COMMAND_FAILED)
            return LAZY_WATCH_FAILED;
        if (fate == COMMAND_LEFT && !is_child &&
            (left == 0 || (lazy_now() - begin >= VANISHED_MS && !has_session(state))))
            return LAZY_WATCH_VANISHED;
        if (left > 0)
            continue;
        set_timeout_reason(state, starter->app);
        return LAZY_WATCH_FAILED;
    }
}

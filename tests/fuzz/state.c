/* The state file: whatever lies there is read as a record that can be written and read again as the same,
 * or counts as nothing known. */
#include "fuzz.h"

#include "core/state.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MOST (1LL << 62)

static const char *path_of(const char *name, char *path)
{
    snprintf(path, PATH_MAX, "%s/%s", fuzz_folder(), name);
    return path;
}

/* Strings without what follows their NUL. */
static bool is_same(const struct lazy_state *a, const struct lazy_state *b)
{
    return a->outcome == b->outcome && a->command.pid == b->command.pid &&
           a->command.start == b->command.start && a->server.pid == b->server.pid &&
           a->server.start == b->server.start && a->started == b->started && a->ended == b->ended &&
           a->exit_status == b->exit_status && a->signal == b->signal &&
           a->failures == b->failures && a->next_start == b->next_start &&
           strcmp(a->reason, b->reason) == 0 && strcmp(a->stamp, b->stamp) == 0;
}

static void check_number(long long number)
{
    FUZZ_HOLDS(number >= 0 && number <= NUMBER_MOST);
}

static void check_process(const struct lazy_process *process)
{
    FUZZ_HOLDS(process->pid >= 0 && process->pid <= 1 << 30);
    check_number(process->start);
}

static void check_text(const char *text, size_t size)
{
    FUZZ_HOLDS(memchr(text, '\0', size) != NULL);
    FUZZ_HOLDS(strchr(text, '\n') == NULL);
}

static void check(const struct lazy_state *state)
{
    FUZZ_HOLDS(state->outcome > LAZY_STATE_NONE && state->outcome < LAZY_STATE_OUTCOMES);
    check_process(&state->command);
    check_process(&state->server);
    check_number(state->started);
    check_number(state->ended);
    check_number(state->exit_status + 1); /* -1: none */
    check_number(state->signal);
    check_number(state->failures);
    check_number(state->next_start);
    check_text(state->reason, sizeof state->reason);
    check_text(state->stamp, sizeof state->stamp);
}

static void write_and_read(const struct lazy_state *state, struct lazy_state *again)
{
    char path[PATH_MAX], temporary[PATH_MAX];

    path_of("state", path);
    FUZZ_HOLDS(lazy_state_write(AT_FDCWD, path, path_of("state.new", temporary), "app", state) == 0);
    FUZZ_HOLDS(lazy_state_read(AT_FDCWD, path, again));
}

/* A text that was cut may end in white space, which the next reading trims. */
static void trim(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct lazy_state nothing = {.exit_status = -1};
    struct lazy_state state, again;
    char path[PATH_MAX];

    fuzz_write(path_of("state", path), data, size);
    memset(&state, 0xa5, sizeof state);
    if (!lazy_state_read(AT_FDCWD, path, &state)) {
        FUZZ_HOLDS(is_same(&state, &nothing));
        return 0;
    }
    check(&state);
    write_and_read(&state, &again);
    trim(state.reason);
    trim(state.stamp);
    FUZZ_HOLDS(is_same(&state, &again));
    return 0;
}

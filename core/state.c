#include "state.h"

#include "folder.h"
#include "lines.h"
#include "text.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h> /* renameat */
#include <string.h>
#include <unistd.h>

#define STATE_FILE_MAX 8192

enum field_kind { FIELD_OUTCOME, FIELD_PID, FIELD_NUMBER, FIELD_TIME, FIELD_TEXT };

struct field {
    char name[15];
    unsigned char kind;
    unsigned short offset;
    short size; /* of a text */
    short none; /* the number that means: leave the line out */
};

#define AT(member) offsetof(struct lazy_state, member)

static const struct field fields[] = {
    {"outcome", FIELD_OUTCOME, AT(outcome), 0, 0},
    {"pid", FIELD_PID, AT(command.pid), 0, 0},
    {"session", FIELD_PID, AT(command.pid), 0, 0}, /* the command leads its session */
    {"process-start", FIELD_NUMBER, AT(command.start), 0, 0},
    {"server-pid", FIELD_PID, AT(server.pid), 0, 0},
    {"server-start", FIELD_NUMBER, AT(server.start), 0, 0},
    {"started", FIELD_TIME, AT(started), 0, 0},
    {"ended", FIELD_TIME, AT(ended), 0, 0},
    {"exit-status", FIELD_NUMBER, AT(exit_status), 0, -1},
    {"signal", FIELD_NUMBER, AT(signal), 0, 0},
    {"failures", FIELD_NUMBER, AT(failures), 0, -1},
    {"next-start", FIELD_TIME, AT(next_start), 0, 0},
    {"reason", FIELD_TEXT, AT(reason), LAZY_REASON_SIZE, 0},
    {"app-stamp", FIELD_TEXT, AT(stamp), LAZY_STATE_STAMP_SIZE, 0},
};
static const size_t field_count = sizeof fields / sizeof *fields;

static const char *const outcomes[] = {"none", "starting", "up", "failed", "stopping"};

static long long get_number(const struct lazy_state *state, const struct field *field)
{
    const char *at = (const char *)state + field->offset;

    return field->kind == FIELD_PID ? *(const pid_t *)at : *(const long long *)at;
}

static void set_number(struct lazy_state *state, const struct field *field, long long number)
{
    char *at = (char *)state + field->offset;

    if (field->kind == FIELD_PID)
        *(pid_t *)at = (pid_t)number;
    else
        *(long long *)at = number;
}

static bool parse_field(struct lazy_state *state, const struct field *field, const char *value)
{
    long long number, most = field->kind == FIELD_PID ? 1LL << 30 : 1LL << 62;
    struct lazy_text text;
    const char *end;

    switch (field->kind) {
    case FIELD_OUTCOME:
        for (int i = 0; i < LAZY_STATE_OUTCOMES; i++)
            if (strcmp(value, outcomes[i]) == 0)
                state->outcome = (enum lazy_state_outcome)i;
        return true;
    case FIELD_TEXT:
        lazy_text_begin(&text, (char *)state + field->offset, (size_t)field->size);
        lazy_text_add(&text, value);
        return true;
    default: /* behind a time stands the same for people */
        if (!lazy_value_number(value, most, &number, &end))
            return false;
        set_number(state, field, number);
        return true;
    }
}

static bool parse(struct lazy_state *state, char *text)
{
    struct lazy_lines lines = {.next = text};
    enum lazy_line line;
    char *key, *value;

    while ((line = lazy_lines_next(&lines, &key, &value)) != LAZY_LINE_END) {
        if (line == LAZY_LINE_MALFORMED)
            return false;
        for (size_t i = 0; i < field_count; i++)
            if (strcmp(key, fields[i].name) == 0 && !parse_field(state, &fields[i], value))
                return false;
    }
    return state->outcome != LAZY_STATE_NONE;
}

/* Not what is wrong with the file, but what was wanting to read it. */
static bool is_want(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EIO;
}

bool lazy_state_read(int folder, const char *name, struct lazy_state *state)
{
    static const struct lazy_state nothing = {.exit_status = -1};
    char text[STATE_FILE_MAX];
    ssize_t got;
    int fd = lazy_folder_file(folder, name, O_RDONLY | O_NONBLOCK), errnum;

    while ((got = fd < 0 ? -1 : read(fd, text, sizeof text - 1)) < 0 && errno == EINTR)
        ;
    errnum = errno;
    if (fd >= 0)
        close(fd);
    *state = nothing;
    if (got > 0) {
        text[got] = '\0';
        if (parse(state, text))
            return true;
        *state = nothing;
    }
    if (got < 0 && is_want(errnum))
        state->outcome = LAZY_STATE_UNREAD;
    errno = errnum;
    return false;
}

static void add_field(struct lazy_text *text, const struct lazy_state *state,
                      const struct field *field)
{
    const char *string = (const char *)state + field->offset;

    if (field->kind == FIELD_TEXT ? *string == '\0'
        : field->kind != FIELD_OUTCOME && get_number(state, field) == field->none)
        return;
    lazy_text_format(text, "%s = ", field->name);
    if (field->kind == FIELD_OUTCOME)
        lazy_text_add(text, outcomes[state->outcome]);
    else if (field->kind == FIELD_TEXT)
        lazy_text_add(text, string);
    else
        lazy_text_format(text, "%lld", get_number(state, field));
    if (field->kind == FIELD_TIME) {
        lazy_text_add(text, " (");
        lazy_text_utc(text, get_number(state, field));
        lazy_text_add(text, ")");
    }
    lazy_text_add(text, "\n");
}

static int write_all(int fd, const struct lazy_text *text)
{
    ssize_t wrote;

    while ((wrote = write(fd, text->start, text->length)) < 0 && errno == EINTR)
        ;
    if (wrote >= 0 && (size_t)wrote < text->length)
        errno = ENOSPC;
    return wrote == (ssize_t)text->length ? 0 : -1;
}

int lazy_state_write(int folder, const char *name, const char *temporary, const char *title,
                     const struct lazy_state *state)
{
    char buffer[STATE_FILE_MAX];
    struct lazy_text text;
    int fd, result, errnum;

    lazy_text_begin(&text, buffer, sizeof buffer);
    lazy_text_format(&text, "# the last start of %s, as lazyscgi recorded it\n", title);
    for (size_t i = 0; i < field_count; i++)
        add_field(&text, state, &fields[i]);

    unlinkat(folder, temporary, 0); /* a link or another's file may lie there */
    fd = lazy_folder_file(folder, temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return -1;
    result = write_all(fd, &text);
    errnum = errno;
    if (close(fd) < 0 && errno != EINTR && result == 0) /* NFS tells of a full disk only here */
        result = -1, errnum = errno;
    if (result == 0)
        result = renameat(folder, temporary, folder, name), errnum = errno;
    if (result < 0)
        unlinkat(folder, temporary, 0);
    errno = errnum;
    return result;
}

#include "process.h"

#include "call.h"
#include "text.h"
#include "value.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIELD_STATE 3
#define FIELD_START 22

/* The name in field 2 may hold spaces and parentheses, so the fields are counted from its end. */
static long long parse_start(char *stat)
{
    char *at = strrchr(stat, ')');
    long long start;
    const char *end;

    if (at == NULL || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return 0;
    at += 2;
    for (int field = FIELD_STATE; field < FIELD_START; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return 0;
        at++;
    }
    return lazy_value_number(at, (1LL << 62), &start, &end) ? start : 0;
}

long long lazy_process_start(pid_t pid)
{
    char path[32], stat[1024];
    struct lazy_text text;
    ssize_t got;
    int fd;

    if (pid <= 0)
        return 0;
    lazy_text_begin(&text, path, sizeof path);
    lazy_text_format(&text, "/proc/%lld/stat", (long long)pid);
    fd = lazy_call_open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    got = read(fd, stat, sizeof stat - 1);
    close(fd);
    if (got <= 0)
        return 0;
    stat[got] = '\0';
    return parse_start(stat);
}

int lazy_process_alive(const struct lazy_process *process)
{
    return process->start > 0 && lazy_process_start(process->pid) == process->start;
}

/* Runs a CGI program and does something to it at an exact system call.
 *
 *   step OUT GO trace -    -    0 0     PROGRAM [ARGUMENT]   only tells what was called
 *   step OUT GO kill  ROLE CALL N 0     PROGRAM ...          SIGKILL at the N-th such call, which isn't made
 *   step OUT GO orphan ROLE CALL N 0    PROGRAM ...          SIGKILL for whoever forked it, and waits for it
 *   step OUT GO fail  ROLE CALL N ERRNO PROGRAM ...          the N-th such call fails
 *   step OUT GO hold  ROLE CALL N 0     PROGRAM ...          all stand still there, until GO has a byte
 *   step OUT GO delay ROLE CALL N MS    PROGRAM ...          the N-th such call takes so much longer
 *   step OUT GO delay -    CALL 0 MS    PROGRAM ...          every such call does
 *   step OUT GO storm -    -    SEED ERRNO PROGRAM ...       half of the calls that may sleep fail
 *
 * A role is how many forks away a process is: request, middle, starter, command; what runs another
 * program is let go. Of several processes in one role the first counts. A call is a name, `disk` for
 * those of file systems, or `any`. The descriptor OUT gets a line for each call, `call ROLE ORDINAL NAME
 * [PATH] RESULT`, and for what was done, `hit ROLE ORDINAL NAME [PATH]`. Ends when all of them have. */
#include "calls.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64
static const char *const roles[] = {"request", "middle", "starter", "command"};
#define ROLES_MAX ((int)(sizeof roles / sizeof *roles))

struct process {
    pid_t pid;
    int role;          /* -1: its parent's fork was not reported yet */
    bool first;        /* of its role */
    long long ordinal; /* calls so far */
    int failing;       /* the errno to give at the present call's end; 0: none */
    long long due;     /* when a delayed call goes on, in ms; 0: not delayed */
    char what[80];     /* the present call and its path */
    long number;
};

static struct process processes[PROCESSES_MAX];
static int born[ROLES_MAX];

static struct {
    const char *action, *role, *call;
    long long nth;
    int value;
    long long seen;
    unsigned seed;
    bool done;
} plan;

static FILE *report;
static int go;

static void fatal(const char *what)
{
    fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
    exit(99); /* PTRACE_O_EXITKILL ends what is traced */
}

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static struct process *find(pid_t pid)
{
    struct process *free = NULL;

    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i].pid == pid)
            return &processes[i];
        if (processes[i].pid == 0 && free == NULL)
            free = &processes[i];
    }
    if (free == NULL)
        fatal("too many processes");
    *free = (struct process){.pid = pid, .role = -1};
    return free;
}

static void take_role(struct process *process, int role)
{
    process->role = role < ROLES_MAX ? role : ROLES_MAX - 1;
    process->first = born[process->role]++ == 0;
}

static void go_on(struct process *process, int signal)
{
    if (ptrace(PTRACE_SYSCALL, process->pid, 0, (void *)(long)signal) < 0 && errno != ESRCH)
        fatal("PTRACE_SYSCALL");
}

static void tell(const char *word, const struct process *process)
{
    fprintf(report, "%s %s %lld %s\n", word, roles[process->role], process->ordinal, process->what);
    fflush(report);
}

static bool is_planned(const struct process *process, long number)
{
    return !plan.done && process->first && strcmp(roles[process->role], plan.role) == 0 &&
           call_is(number, plan.call) && ++plan.seen == plan.nth;
}

/* The parent waits, and so is met in no other call of its own meanwhile. */
static void kill_parent(const struct process *child)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (processes[i].pid != 0 && processes[i].first && processes[i].role == child->role - 1)
            kill(processes[i].pid, SIGKILL);
}

static void fail(struct process *process, int errnum)
{
    process->failing = errnum;
    if (process->number != SYS_close) /* which closes, whatever it says (close(2)) */
        call_skip(process->pid);
}

static void enter(struct process *process, const struct ptrace_syscall_info *info)
{
    long number = (long)info->entry.nr;
    char byte;

    process->number = number;
    process->ordinal++;
    call_describe(process->pid, info, process->what, sizeof process->what);
    if (strcmp(plan.action, "delay") == 0) {
        if (plan.nth == 0 ? call_is(number, plan.call) : is_planned(process, number)) {
            tell("hit", process);
            process->due = now() + plan.value;
            return;
        }
    } else if (strcmp(plan.action, "storm") == 0) {
        if (call_is(number, "sleeps") && rand_r(&plan.seed) & 1) {
            tell("hit", process);
            fail(process, plan.value);
        }
    } else if (is_planned(process, number)) {
        plan.done = true;
        tell("hit", process);
        if (strcmp(plan.action, "kill") == 0)
            kill(process->pid, SIGKILL);
        else if (strcmp(plan.action, "orphan") == 0)
            kill_parent(process);
        else if (strcmp(plan.action, "fail") == 0)
            fail(process, plan.value);
        else if (read(go, &byte, 1) < 0)
            fatal("GO");
    }
    go_on(process, 0);
}

static void leave(struct process *process, const struct ptrace_syscall_info *info)
{
    long result = (long)info->exit.rval;

    if (process->failing != 0) {
        result = -process->failing;
        call_return(process->pid, result);
        process->failing = 0;
    }
    fprintf(report, "call %s %lld %s %ld\n", roles[process->role], process->ordinal, process->what, result);
    go_on(process, 0);
}

static void at_call(struct process *process)
{
    struct ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, process->pid, sizeof info, &info) < 0)
        return; /* killed meanwhile */
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        enter(process, &info);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        leave(process, &info);
    else
        go_on(process, 0);
}

static void at_fork(struct process *parent)
{
    unsigned long child;
    struct process *process;
    bool waits;

    if (ptrace(PTRACE_GETEVENTMSG, parent->pid, 0, &child) == 0) {
        process = find((pid_t)child);
        waits = process->due < 0;
        process->due = 0;
        take_role(process, parent->role + 1);
        if (waits)
            go_on(process, 0);
    }
    go_on(parent, 0);
}

static void stopped(struct process *process, int status)
{
    int signal = WSTOPSIG(status);

    switch (status >> 16) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        at_fork(process);
        return;
    case PTRACE_EVENT_EXEC:
        if (process->role > 0) {
            ptrace(PTRACE_DETACH, process->pid, 0, 0);
            process->pid = 0;
            return;
        }
        go_on(process, 0);
        return;
    }
    if (signal == (SIGTRAP | 0x80)) {
        at_call(process);
    } else if (signal == SIGSTOP && process->role < 0) {
        process->due = -1; /* until its parent's fork is reported */
    } else if (signal == SIGSTOP && process->ordinal == 0) {
        go_on(process, 0);
    } else {
        go_on(process, signal);
    }
}

/* The next event; while a call is delayed, that is looked after as well. */
static pid_t next(int *status)
{
    for (;;) {
        bool delayed = false;
        pid_t pid;

        for (int i = 0; i < PROCESSES_MAX; i++) {
            struct process *process = &processes[i];
            if (process->pid == 0 || process->due <= 0)
                continue;
            if (process->due > now()) {
                delayed = true;
                continue;
            }
            process->due = 0;
            go_on(process, 0);
        }
        pid = waitpid(-1, status, __WALL | (delayed ? WNOHANG : 0));
        if (pid != 0)
            return pid;
        usleep(500);
    }
}

static pid_t begin(char **program)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        fclose(report);
        close(go);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(program[0], program);
        _exit(98);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        fatal(program[0]);
    if (ptrace(PTRACE_SETOPTIONS, pid, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
        fatal("PTRACE_SETOPTIONS");
    return pid;
}

int main(int argc, char **argv)
{
    struct process *root;
    int status;
    pid_t pid;

    if (argc < 9)
        return 2;
    report = fdopen(atoi(argv[1]), "w");
    if (report == NULL)
        return 2;
    go = atoi(argv[2]);
    plan.action = argv[3];
    plan.role = argv[4];
    plan.call = argv[5];
    plan.nth = atoll(argv[6]);
    plan.seed = (unsigned)plan.nth;
    plan.value = atoi(argv[7]);
    root = find(begin(argv + 8));
    take_role(root, 0);
    go_on(root, 0);
    while ((pid = next(&status)) > 0 || errno == EINTR) {
        if (pid <= 0)
            continue;
        if (WIFSTOPPED(status))
            stopped(find(pid), status);
        else
            find(pid)->pid = 0;
    }
    return fclose(report) != 0;
}

/* Runs a CGI program and does something to it at an exact system call.
 *
 *   step OUT GO trace -    -    0 0     PROGRAM [ARGUMENT]   only tells what was called
 *   step OUT GO kill  ROLE CALL N 0     PROGRAM ...          SIGKILL at the N-th such call, which isn't made
 *   step OUT GO fail  ROLE CALL N ERRNO PROGRAM ...          the N-th such call fails
 *   step OUT GO hold  ROLE CALL N 0     PROGRAM ...          all stand still there, until GO has a byte
 *   step OUT GO delay ROLE CALL N MS    PROGRAM ...          the N-th such call takes so much longer
 *   step OUT GO delay -    CALL 0 MS    PROGRAM ...          every such call does
 *   step OUT GO storm -    -    SEED ERRNO PROGRAM ...       half of the calls that may sleep fail
 *
 * A role is how many forks away a process is: request, middle, starter, command; what runs another
 * program is let go. Of several processes in one role the first counts. A call is a name, `disk` for
 * those of file systems, or `any`. The descriptor OUT gets a line for each call, `call ROLE ORDINAL NAME
 * [PATH] RESULT`; for what was done, `hit ROLE ORDINAL NAME [PATH]`; and for each end, `end ROLE STATUS`.
 * Ends when all of them have. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define PROCESSES_MAX 64
#define CALLS_MAX 512

enum kind { KIND_PLAIN, KIND_SLEEPS = 1, KIND_DISK = 2 };

#define CALL(name, kind) [SYS_##name] = {#name, kind}

static const struct {
    const char *name;
    int kind;
} calls[CALLS_MAX] = {
    CALL(read, KIND_SLEEPS), CALL(write, KIND_SLEEPS), CALL(writev, KIND_SLEEPS),
    CALL(pread64, KIND_SLEEPS | KIND_DISK), CALL(pwrite64, KIND_SLEEPS | KIND_DISK),
    CALL(openat, KIND_SLEEPS | KIND_DISK), CALL(close, KIND_SLEEPS), CALL(connect, KIND_SLEEPS),
    CALL(recvfrom, KIND_SLEEPS), CALL(sendto, KIND_SLEEPS), CALL(sendmsg, KIND_SLEEPS),
    CALL(flock, KIND_SLEEPS | KIND_DISK), CALL(wait4, KIND_SLEEPS), CALL(waitid, KIND_SLEEPS),
    CALL(ppoll, KIND_SLEEPS), CALL(fstat, KIND_DISK), CALL(newfstatat, KIND_DISK),
    CALL(unlinkat, KIND_DISK), CALL(renameat, KIND_DISK), CALL(mkdirat, KIND_DISK),
    CALL(mknodat, KIND_DISK), CALL(faccessat, KIND_DISK), CALL(socket, KIND_PLAIN),
    CALL(socketpair, KIND_PLAIN), CALL(getsockopt, KIND_PLAIN), CALL(setsockopt, KIND_PLAIN),
    CALL(clone, KIND_PLAIN), CALL(execve, KIND_PLAIN), CALL(exit_group, KIND_PLAIN),
    CALL(dup3, KIND_PLAIN), CALL(chdir, KIND_DISK), CALL(getcwd, KIND_PLAIN),
    CALL(uname, KIND_PLAIN), CALL(umask, KIND_PLAIN), CALL(kill, KIND_PLAIN),
    CALL(setsid, KIND_PLAIN), CALL(getpgid, KIND_PLAIN), CALL(close_range, KIND_PLAIN),
    CALL(prlimit64, KIND_PLAIN), CALL(clock_gettime, KIND_PLAIN), CALL(rt_sigaction, KIND_PLAIN),
    CALL(rt_sigprocmask, KIND_PLAIN), CALL(getpid, KIND_PLAIN), CALL(geteuid, KIND_PLAIN),
    CALL(fchmod, KIND_DISK), CALL(mremap, KIND_PLAIN), CALL(brk, KIND_PLAIN),
    CALL(set_tid_address, KIND_PLAIN), CALL(gettid, KIND_PLAIN), CALL(getsockname, KIND_PLAIN),
    CALL(getpeername, KIND_PLAIN), CALL(mmap, KIND_PLAIN), CALL(munmap, KIND_PLAIN),
    CALL(mprotect, KIND_PLAIN), CALL(fcntl, KIND_PLAIN),
#ifdef __x86_64__
    CALL(open, KIND_SLEEPS | KIND_DISK), CALL(poll, KIND_SLEEPS), CALL(stat, KIND_DISK),
    CALL(lstat, KIND_DISK), CALL(mkdir, KIND_DISK), CALL(unlink, KIND_DISK),
    CALL(rename, KIND_DISK), CALL(mknod, KIND_DISK), CALL(access, KIND_DISK),
    CALL(fork, KIND_PLAIN), CALL(vfork, KIND_PLAIN), CALL(dup2, KIND_PLAIN),
    CALL(getpgrp, KIND_PLAIN), CALL(arch_prctl, KIND_PLAIN),
#endif
};

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
    int number;
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

#if defined __x86_64__
static void skip_call(pid_t pid)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L);
}

static void set_result(pid_t pid, long result)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), result);
}
#elif defined __aarch64__
#include <elf.h>
static void skip_call(pid_t pid)
{
    int none = -1;
    struct iovec number = {&none, sizeof none};

    ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &number);
}

static void set_result(pid_t pid, long result)
{
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};

    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all);
    registers.regs[0] = (unsigned long)result;
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all);
}
#else
#error "step.c knows the registers of x86-64 and aarch64 only"
#endif

static bool is_of(int number, const char *call)
{
    if (strcmp(call, "any") == 0)
        return true;
    if (strcmp(call, "disk") == 0)
        return calls[number].kind & KIND_DISK;
    return calls[number].name != NULL && strcmp(calls[number].name, call) == 0;
}

/* The last component of a call's path argument, for people. */
static void describe(struct process *process, const struct ptrace_syscall_info *info)
{
    static const int plain[] = {
        SYS_chdir,
#ifdef __x86_64__
        SYS_open, SYS_stat, SYS_lstat, SYS_mkdir, SYS_unlink, SYS_rename, SYS_mknod, SYS_access,
#endif
    };
    static const int at[] = {SYS_openat, SYS_newfstatat, SYS_unlinkat, SYS_renameat, SYS_mkdirat,
                             SYS_mknodat, SYS_faccessat};
    int number = (int)info->entry.nr, argument = -1;
    char path[1024] = "";
    const char *slash;

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        argument = plain[i] == number ? 0 : argument;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        argument = at[i] == number ? 1 : argument;
    if (argument >= 0)
        for (size_t i = 0; i + sizeof(long) < sizeof path; i += sizeof(long)) {
            long word = ptrace(PTRACE_PEEKDATA, process->pid, info->entry.args[argument] + i, 0);
            memcpy(path + i, &word, sizeof word);
            if (memchr(&word, '\0', sizeof word) != NULL)
                break;
        }
    slash = strrchr(path, '/');
    if (calls[number].name != NULL)
        snprintf(process->what, sizeof process->what, "%s", calls[number].name);
    else
        snprintf(process->what, sizeof process->what, "call-%d", number);
    if (argument >= 0)
        snprintf(process->what + strlen(process->what), 60, " %.50s", slash ? slash + 1 : path);
    else if ((number == SYS_read || number == SYS_write) && info->entry.args[0] < 3)
        snprintf(process->what + strlen(process->what), 60, " %d", (int)info->entry.args[0]);
}

static void tell(const char *word, const struct process *process)
{
    fprintf(report, "%s %s %lld %s\n", word, roles[process->role], process->ordinal, process->what);
    fflush(report);
}

static bool is_planned(const struct process *process, int number)
{
    return !plan.done && process->first && strcmp(roles[process->role], plan.role) == 0 &&
           is_of(number, plan.call) && ++plan.seen == plan.nth;
}

static void fail(struct process *process, int errnum)
{
    process->failing = errnum;
    if (process->number != SYS_close) /* which closes, whatever it says (close(2)) */
        skip_call(process->pid);
}

static void enter(struct process *process, const struct ptrace_syscall_info *info)
{
    int number = (int)info->entry.nr;
    char byte;

    if (number < 0 || number >= CALLS_MAX)
        number = 0;
    process->number = number;
    process->ordinal++;
    describe(process, info);
    if (strcmp(plan.action, "delay") == 0) {
        if (plan.nth == 0 ? is_of(number, plan.call) : is_planned(process, number)) {
            tell("hit", process);
            process->due = now() + plan.value;
            return;
        }
    } else if (strcmp(plan.action, "storm") == 0) {
        if (calls[number].kind & KIND_SLEEPS && rand_r(&plan.seed) & 1) {
            tell("hit", process);
            fail(process, plan.value);
        }
    } else if (is_planned(process, number)) {
        plan.done = true;
        tell("hit", process);
        if (strcmp(plan.action, "kill") == 0)
            kill(process->pid, SIGKILL);
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
        set_result(process->pid, result);
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
            fprintf(report, "exec %s\n", roles[process->role]);
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

static void ended(struct process *process, int status)
{
    if (process->role >= 0)
        fprintf(report, "end %s %d\n", roles[process->role],
                WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    process->pid = 0;
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
            ended(find(pid), status);
    }
    return fclose(report) != 0;
}

#include "calls.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

enum kind { KIND_PLAIN, KIND_SLEEPS = 1, KIND_DISK = 2 };

#define CALL(name, kind) [SYS_##name] = {#name, kind}

static const struct {
    const char *name;
    int kind;
} calls[] = {
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
    CALL(mprotect, KIND_PLAIN), CALL(fcntl, KIND_PLAIN), CALL(utimensat, KIND_DISK),
#ifdef __x86_64__
    CALL(open, KIND_SLEEPS | KIND_DISK), CALL(poll, KIND_SLEEPS), CALL(stat, KIND_DISK),
    CALL(lstat, KIND_DISK), CALL(mkdir, KIND_DISK), CALL(unlink, KIND_DISK),
    CALL(rename, KIND_DISK), CALL(mknod, KIND_DISK), CALL(access, KIND_DISK),
    CALL(fork, KIND_PLAIN), CALL(vfork, KIND_PLAIN), CALL(dup2, KIND_PLAIN),
    CALL(getpgrp, KIND_PLAIN), CALL(arch_prctl, KIND_PLAIN),
#endif
};
#define CALLS ((long)(sizeof calls / sizeof *calls))

static const char *name_of(long number)
{
    return number >= 0 && number < CALLS ? calls[number].name : NULL;
}

bool call_is(long number, const char *call)
{
    int kind = number >= 0 && number < CALLS ? calls[number].kind : KIND_PLAIN;

    if (strcmp(call, "any") == 0)
        return true;
    if (strcmp(call, "disk") == 0)
        return kind & KIND_DISK;
    if (strcmp(call, "sleeps") == 0)
        return kind & KIND_SLEEPS;
    return name_of(number) != NULL && strcmp(name_of(number), call) == 0;
}

/* Which argument of the call is a path; -1: none. */
static int path_argument(long number)
{
    static const long plain[] = {
        SYS_chdir,
#ifdef __x86_64__
        SYS_open, SYS_stat, SYS_lstat, SYS_mkdir, SYS_unlink, SYS_rename, SYS_mknod, SYS_access,
#endif
    };
    static const long at[] = {SYS_openat, SYS_newfstatat, SYS_unlinkat, SYS_renameat, SYS_mkdirat,
                              SYS_mknodat, SYS_faccessat, SYS_utimensat};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (plain[i] == number)
            return 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (at[i] == number)
            return 1;
    return -1;
}

static void read_text(pid_t pid, unsigned long address, char *text, size_t size)
{
    for (size_t i = 0; i + sizeof(long) < size; i += sizeof(long)) {
        long word = ptrace(PTRACE_PEEKDATA, pid, address + i, 0);

        memcpy(text + i, &word, sizeof word);
        text[i + sizeof word] = '\0';
        if (memchr(&word, '\0', sizeof word) != NULL)
            return;
    }
}

void call_describe(pid_t pid, const struct ptrace_syscall_info *info, char *text, size_t size)
{
    long number = (long)info->entry.nr;
    int argument = path_argument(number), length;
    char path[1024] = "";
    const char *slash;

    length = name_of(number) != NULL ? snprintf(text, size, "%s", name_of(number))
                                     : snprintf(text, size, "call-%ld", number);
    if (argument >= 0) {
        read_text(pid, info->entry.args[argument], path, sizeof path);
        slash = strrchr(path, '/');
        snprintf(text + length, size - (size_t)length, " %s", slash != NULL ? slash + 1 : path);
    } else if ((number == SYS_read || number == SYS_write) && info->entry.args[0] < 3) {
        snprintf(text + length, size - (size_t)length, " %d", (int)info->entry.args[0]);
    }
}

#if defined __x86_64__
void call_skip(pid_t pid)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1L);
}

void call_return(pid_t pid, long result)
{
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), result);
}
#elif defined __aarch64__
#include <elf.h>
void call_skip(pid_t pid)
{
    int none = -1;
    struct iovec number = {&none, sizeof none};

    ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &number);
}

void call_return(pid_t pid, long result)
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

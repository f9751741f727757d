/* What is known of the system calls of a traced process, and how one is made to fail. */
#ifndef LAZY_TORTURE_CALLS_H
#define LAZY_TORTURE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h> /* before the kernel's, which takes its names for macros */
#include <sys/types.h>

#include <linux/ptrace.h>

/* Is it `call`: a name, "disk" for those of file systems, "sleeps" for those that a signal interrupts, or
 * "any"? */
bool call_is(long number, const char *call);

/* The call's name; then the last part of its path, or which of the standard descriptors it is about. */
void call_describe(pid_t pid, const struct ptrace_syscall_info *info, char *text, size_t size);

/* At its entry: the call is not made. */
void call_skip(pid_t pid);

/* At its exit: what it returns. */
void call_return(pid_t pid, long result);

#endif

/* Runs a CGI program as a web server does: fork, exec, drain its output, reap.
 *
 *   runner COUNT PROGRAM [ARGUMENT...]     the environment is the request
 *
 * Prints a line for each run: wall ns from fork to the end of the output and of the last process, CPU us,
 * minor and major page faults, bytes of output.  What the program left behind is reaped and counted in.
 * COUNT 0 runs it once more and prints the KiB of memory that it had at its end: resident and private. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static pid_t start(char **argv, int output, int traced)
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);

        dup2(null, 0);
        dup2(output, 1);
        close(null);
        if (traced)
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void run(char **argv)
{
    static char buffer[65536];
    long long begin = now(), cpu = 0, bytes = 0, minor = 0, major = 0;
    struct rusage used;
    int pipes[2], status;
    pid_t pid, ended;
    ssize_t got;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        exit(1);
    pid = start(argv, pipes[1], 0);
    close(pipes[1]);
    while ((got = read(pipes[0], buffer, sizeof buffer)) > 0)
        bytes += got;
    while ((ended = wait4(-1, &status, 0, &used)) > 0) {
        cpu += (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
        minor += used.ru_minflt;
        major += used.ru_majflt;
        if (ended == pid && status != 0)
            fprintf(stderr, "%s: status %d\n", argv[0], status);
    }
    printf("%lld %lld %lld %lld %lld\n", now() - begin, cpu, minor, major, bytes);
    close(pipes[0]);
}

/* A field of smaps_rollup, in KiB. */
static long field(const char *map, const char *name)
{
    const char *at = strstr(map, name);

    return at == NULL ? 0 : atol(at + strlen(name));
}

static void print_memory(pid_t pid)
{
    char path[64], map[8192];
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    fd = open(path, O_RDONLY);
    got = fd < 0 ? -1 : read(fd, map, sizeof map - 1);
    if (got < 0) {
        perror(path);
        exit(1);
    }
    map[got] = '\0';
    close(fd);
    printf("%ld %ld\n", field(map, "\nRss:"), field(map, "\nPrivate_Clean:") + field(map, "\nPrivate_Dirty:"));
}

/* The kernel stops the process in its exit, its memory still there. */
static void measure_memory(char **argv)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status;
    pid_t pid = start(argv, null, 1);

    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
            print_memory(pid);
        ptrace(PTRACE_CONT, pid, NULL, WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
    }
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[1]) : -1;

    if (count < 0) {
        fputs("usage: runner COUNT PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (count == 0)
        measure_memory(argv + 2);
    while (count-- > 0)
        run(argv + 2);
    return 0;
}

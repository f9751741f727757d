/* Cold starts met by a herd: PROCESSES x THREADS requests at once, ROUNDS times.
 *
 *   herd APP-FILE PROCESSES THREADS ROUNDS
 *
 * Each round all threads of all processes ask the core for a connection at the same moment, and ask the
 * server who it is; all must have met the same one. Then it is killed. Prints how many requests were
 * answered, and how many servers they have met. */
#include "core/process.h"
#include "core/server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDS_MAX 4096

static struct {
    pthread_barrier_t barrier;
    int met[PIDS_MAX]; /* by each thread of each process in this round; 0: nobody */
} *shared;

static struct lazy_app app;
static int processes, threads, rounds;

/* Asks who is there; 0: no answer. */
static int ask(int fd)
{
    static const char request[] = "24:CONTENT_LENGTH\0000\0SCGI\0001\0,";
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char reply[128];
    size_t length = 0;
    ssize_t got;

    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
        return 0;
    while (poll(&readable, 1, 30000) > 0 && (got = recv(fd, reply + length, sizeof reply - 1 - length, 0)) > 0)
        length += (size_t)got;
    reply[length] = '\0';
    return strstr(reply, "\n\n") != NULL ? atoi(strstr(reply, "\n\n")) : 0;
}

static int meet(void)
{
    struct lazy_front front = {.visitor = -1};
    struct lazy_error error;
    int fd = lazy_connect(&app, &front, &error), pid;

    if (fd < 0) {
        fprintf(stderr, "%s\n", error.sentence);
        return 0;
    }
    pid = ask(fd);
    close(fd);
    return pid;
}

static void *run(void *place)
{
    for (int round = 0; round < rounds; round++) {
        pthread_barrier_wait(&shared->barrier);
        *(int *)place = meet();
        pthread_barrier_wait(&shared->barrier); /* all have met it */
        pthread_barrier_wait(&shared->barrier); /* and it was killed */
    }
    return NULL;
}

static void run_process(int *places)
{
    pthread_t all[PIDS_MAX];

    for (int i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, run, &places[i]) != 0)
            abort();
    for (int i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
}

static void kill_server(int pid)
{
    if (pid > 1)
        kill(pid, SIGKILL);
    while (pid > 1 && lazy_process_start(pid) != 0)
        usleep(100);
}

int main(int argc, char **argv)
{
    int count, answered = 0, servers = 0, strangers = 0;
    pthread_barrierattr_t attributes;
    struct lazy_error error;

    if (argc != 5)
        return 2;
    processes = atoi(argv[2]);
    threads = atoi(argv[3]);
    rounds = atoi(argv[4]);
    count = processes * threads;
    if (count < 1 || count > PIDS_MAX || lazy_app_load(&app, argv[1], NULL, &error) < 0)
        return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &attributes, (unsigned)count + 1);
    for (int i = 0; i < processes; i++)
        if (fork() == 0) {
            run_process(shared->met + i * threads);
            _exit(0);
        }
    for (int round = 0; round < rounds; round++) {
        int server = 0;

        pthread_barrier_wait(&shared->barrier);
        pthread_barrier_wait(&shared->barrier);
        for (int i = 0; i < count; i++) {
            server = server == 0 ? shared->met[i] : server;
            answered += shared->met[i] > 0;
            strangers += shared->met[i] != server;
        }
        servers += server > 0;
        kill_server(server);
        pthread_barrier_wait(&shared->barrier);
    }
    while (wait(NULL) > 0)
        ;
    printf("%d answered, %d servers, %d strangers\n", answered, servers, strangers);
    return 0;
}

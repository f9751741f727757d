/* Gives a harness the inputs that are kept, once each: in place of libFuzzer, with any compiler.
 *
 *   replay FILE-OR-FOLDER...    prints how many there were */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)

static int inputs;

static void stop(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(2);
}

static void replay_file(const char *path, int fd)
{
    static char input[INPUT_MAX];
    ssize_t size = read(fd, input, sizeof input);
    char *exact;

    if (size < 0)
        stop(path);
    fprintf(stderr, "%s\n", path); /* the last one is the one that fails */
    exact = fuzz_bytes(input, (size_t)size);
    LLVMFuzzerTestOneInput((uint8_t *)exact, (size_t)size);
    free(exact);
    inputs++;
}

static void replay(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    char inside[PATH_MAX];

    if (fd < 0 || (folder == NULL && errno != ENOTDIR))
        stop(path);
    if (folder == NULL) {
        replay_file(path, fd);
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        replay(inside);
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%d inputs\n", inputs);
    return inputs > 0 ? 0 : 2;
}

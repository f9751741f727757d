#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_holds(bool condition, const char *text, const char *file, int line)
{
    if (condition)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    abort();
}

char *fuzz_bytes(const void *data, size_t size)
{
    char *bytes = malloc(size > 0 ? size : 1);

    FUZZ_HOLDS(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    return bytes;
}

char *fuzz_string(const void *data, size_t size)
{
    char *string = malloc(size + 1);

    FUZZ_HOLDS(string != NULL);
    if (size > 0)
        memcpy(string, data, size);
    string[size] = '\0';
    return string;
}

static char folder[PATH_MAX];

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
    const char *parent = getenv("TMPDIR");

    if (*folder != '\0')
        return folder;
    snprintf(folder, sizeof folder, "%s/lazyscgi-fuzz-XXXXXX", parent != NULL ? parent : "/tmp");
    FUZZ_HOLDS(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    return folder;
}

void fuzz_write(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    FUZZ_HOLDS(fd >= 0);
    FUZZ_HOLDS(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

void fuzz_refused(const struct lazy_error *error)
{
    FUZZ_HOLDS(error->failure == LAZY_APP);
    FUZZ_HOLDS(error->sentence[0] != '\0');
    FUZZ_HOLDS(memchr(error->sentence, '\0', sizeof error->sentence) != NULL);
}

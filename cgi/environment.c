#include "environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define USUAL_MAX 32768 /* bytes of a head that need no memory of their own */

static int encode(struct lazy_request *request, char *storage, size_t size, long long content_length)
{
    lazy_request_begin(request, storage, size, content_length);
    for (char **at = environ; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');

        if (equals != NULL)
            lazy_request_add(request, *at, (size_t)(equals - *at), equals + 1);
    }
    return lazy_request_end(request);
}

int lazy_environment_encode(struct lazy_request *request, long long content_length,
                            struct lazy_error *error)
{
    static char usual[USUAL_MAX];
    size_t size;
    void *large;

    if (encode(request, usual, sizeof usual, content_length) == 0)
        return 0;
    size = request->needed;
    large = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (large == MAP_FAILED)
        return lazy_error_set(error, LAZY_REQUEST, errno, "the request's head is too large", NULL);
    return encode(request, large, size, content_length);
}

const char *lazy_environment_tmpdir(void)
{
    const char *folder = getenv("TMPDIR");

    return folder != NULL && *folder == '/' ? folder : "/tmp";
}

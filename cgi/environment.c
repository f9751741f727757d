#include "environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lazy_environment_encode(struct lazy_request *request, char *storage, size_t size,
                            long long content_length)
{
    lazy_request_begin(request, storage, size, content_length);
    for (char **at = environ; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');

        if (equals != NULL)
            lazy_request_add(request, *at, (size_t)(equals - *at), equals + 1);
    }
    return lazy_request_end(request);
}

const char *lazy_environment_tmpdir(void)
{
    const char *folder = getenv("TMPDIR");

    return folder != NULL && *folder == '/' ? folder : "/tmp";
}

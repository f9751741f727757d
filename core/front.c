#include "front.h"

#include <poll.h>
#include <stddef.h>

#define NAP_MS 250

int lazy_front_nap(const struct lazy_front *front, int most)
{
    return front->is_gone == NULL || (most >= 0 && most < NAP_MS) ? most : NAP_MS;
}

bool lazy_front_is_gone(const struct lazy_front *front)
{
    return front->is_gone != NULL && front->is_gone(front->context);
}

bool lazy_front_is_ready(const struct lazy_front *front)
{
    struct pollfd visitor = {.fd = front->visitor, .events = POLLOUT};

    return front->visitor >= 0 && poll(&visitor, 1, 0) > 0;
}

void lazy_front_tell(const struct lazy_front *front, enum lazy_event event, int ms,
                     const char *sentence)
{
    if (front->event != NULL)
        front->event(front->context, event, ms, sentence);
}

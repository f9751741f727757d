/* What the core needs of its front while it works for one request. */
#ifndef LAZY_FRONT_H
#define LAZY_FRONT_H

#include <stdbool.h>

enum lazy_event {
    LAZY_EVENT_START,   /* this request has the server started */
    LAZY_EVENT_RESTART, /* ... because the app file was touched */
    LAZY_EVENT_HUNG,    /* ... because it hangs, which the request's error tells */
    LAZY_EVENT_UP,      /* the server is up, after so many ms */
    LAZY_EVENT_FAILED,  /* ... and that has failed: the error says why */
    LAZY_EVENT_NOTICE   /* the sentence is for the owner to know */
};
#define LAZY_EVENTS (LAZY_EVENT_NOTICE + 1)

struct lazy_front {
    int visitor;          /* a descriptor that hangs up when the visitor has gone; -1: none */
    short visitor_events; /* of poll(2) that mean it too, besides POLLHUP and POLLERR */

    /* All that follow may be NULL; `context` is theirs. */
    bool (*is_gone)(void *context);  /* asked now and then, where no descriptor tells */
    bool (*may_wait)(void *context); /* asked once, before this request waits for a server; if not, a
                                        start is begun if need be, but nothing is waited for */
    void (*event)(void *context, enum lazy_event event, int ms, const char *sentence);
    void *context;
};

/* The longest sleep, in ms, after which is_gone is asked again; `most` when that is shorter (-1:
 * no limit) or nobody has to be asked. */
int lazy_front_nap(const struct lazy_front *front, int most);

/* Does the visitor's descriptor take more at present? */
bool lazy_front_is_ready(const struct lazy_front *front);

/* Asks is_gone. */
bool lazy_front_is_gone(const struct lazy_front *front);

/* Reports an event. */
void lazy_front_tell(const struct lazy_front *front, enum lazy_event event, int ms,
                     const char *sentence);

#endif

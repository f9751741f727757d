/* A server that hangs, told from one that is only slow: hang-limit requests in a row without a byte of
 * reply, and nobody answered in between. Those who wait share a file in the state folder, the silence;
 * whoever is answered removes it. So it is there only while nobody is answered, and its size is the
 * number of requests that have given up meanwhile. */
#ifndef LAZY_HANG_H
#define LAZY_HANG_H

#include "app.h"

#include <stdbool.h>

/* How long a request waits before it joins the silence, in ms: those that are answered sooner never
 * touch the file. */
int lazy_hang_patience(const struct lazy_app *app);

/* Joins the silence, which this request begins if it is the first. A descriptor, the caller's to close;
 * -1 when nothing is to be counted: no start command, a hang-limit of 0, or no file. */
int lazy_hang_join(const struct lazy_app *app);

/* A request was answered: the silence, if there is one, is over. Without one this costs one access(2), or
 * less where the app has a memo. */
void lazy_hang_end(const struct lazy_app *app);

/* Counts the request that joined with `silence`, unless somebody was answered since. True: the limit is
 * reached. */
bool lazy_hang_count(const struct lazy_app *app, int silence);

/* Has nobody been answered for a whole response-timeout? */
bool lazy_hang_is_long(const struct lazy_app *app, int silence);

/* Is the silence still unbroken, and the limit reached? */
bool lazy_hang_is_certain(const struct lazy_app *app, int silence);

#endif

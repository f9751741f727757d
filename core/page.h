/* The page that tells a visitor of a failure: no paths, no commands, no output. */
#ifndef LAZY_PAGE_H
#define LAZY_PAGE_H

#include "error.h"
#include "text.h"

#include <stdbool.h>

#define LAZY_PAGE_SIZE 1024 /* bytes that every page fits in */

/* Does the visitor's Accept header (NULL: none) ask for HTML? */
bool lazy_page_is_html(const char *accept);

/* Appends the page, plain or as HTML. For LAZY_PATIENCE an HTML page asks again by itself, which
 * repeats the request as a GET: so only if `method` was that. */
void lazy_page_add(struct lazy_text *text, const struct lazy_error *error, bool is_html,
                   const char *method);

#endif

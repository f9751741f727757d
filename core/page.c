#include "page.h"

#include <string.h>

/* strstr(3) would be larger than the rest of this file. */
bool lazy_page_is_html(const char *accept)
{
    static const char wanted[] = "text/html";

    for (; accept != NULL && *accept != '\0'; accept++)
        if (strncmp(accept, wanted, sizeof wanted - 1) == 0)
            return true;
    return false;
}

void lazy_page_add(struct lazy_text *text, const struct lazy_error *error, bool is_html,
                   const char *method)
{
    const struct lazy_failure_entry *entry = lazy_failure_entry(error->failure);

    if (is_html) {
        lazy_text_format(text, "<!DOCTYPE html>\n<title>%s</title>\n"
                               "<meta name=viewport content=\"width=device-width\">\n",
                         entry->reason);
        if (error->failure == LAZY_PATIENCE && method != NULL && strcmp(method, "GET") == 0)
            lazy_text_format(text, "<meta http-equiv=refresh content=%d>\n", error->retry_after);
        lazy_text_add(text, "<p>");
    }
    lazy_text_format(text, "%s\n", entry->page);
}

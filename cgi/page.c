#include "page.h"

#include "core/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lazy_page_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(fd, bytes, length);

        if (wrote < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, -1);
        } else if (wrote < 0 && errno != EINTR) {
            return -1;
        } else if (wrote > 0) {
            bytes += wrote;
            length -= (size_t)wrote;
        }
    }
    return 0;
}

/* strstr(3) would be larger than the rest of this file. */
static bool contains(const char *variable, const char *wanted)
{
    const char *value = getenv(variable);

    for (; value != NULL && *value != '\0'; value++)
        if (strncmp(value, wanted, strlen(wanted)) == 0)
            return true;
    return false;
}

/* A page that comes back by itself repeats the request as a GET, so it must have been one. */
static bool comes_back(const struct lazy_error *error)
{
    return error->failure == LAZY_PATIENCE && contains("REQUEST_METHOD", "GET");
}

static void add_headers(struct lazy_text *text, const struct lazy_error *error, bool is_browser)
{
    const struct lazy_failure_entry *entry = lazy_failure_entry(error->failure);

    lazy_text_format(text, "Status: %d %s\nCache-Control: no-store\nContent-Type: text/%s\n",
                     entry->status, entry->reason, is_browser ? "html" : "plain");
    if (error->retry_after > 0)
        lazy_text_format(text, "Retry-After: %d\n", error->retry_after);
    lazy_text_add(text, "\n");
}

void lazy_page_write(const struct lazy_error *error)
{
    const struct lazy_failure_entry *entry = lazy_failure_entry(error->failure);
    bool is_browser = contains("HTTP_ACCEPT", "text/html");
    char page[1024];
    struct lazy_text text;

    lazy_text_begin(&text, page, sizeof page);
    add_headers(&text, error, is_browser);
    if (is_browser) {
        lazy_text_format(&text, "<!DOCTYPE html>\n<title>%s</title>\n"
                                "<meta name=viewport content=\"width=device-width\">\n",
                         entry->reason);
        if (comes_back(error))
            lazy_text_format(&text, "<meta http-equiv=refresh content=%d>\n", error->retry_after);
        lazy_text_add(&text, "<p>");
    }
    lazy_text_format(&text, "%s\n", entry->page);
    lazy_page_send(1, text.start, text.length);
}

void lazy_page_log(const char *file, const char *sentence)
{
    char line[PATH_MAX + LAZY_SENTENCE_SIZE];
    struct lazy_text text;

    lazy_text_begin(&text, line, sizeof line - 1);
    lazy_text_format(&text, "lazyscgi: %s: %s", file, sentence);
    line[text.length++] = '\n';
    lazy_page_send(2, line, text.length); /* at once: other requests write there too */
}

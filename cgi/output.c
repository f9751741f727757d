#include "output.h"

#include "core/call.h"
#include "core/page.h"
#include "core/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

int lazy_output_send(int fd, const char *bytes, size_t length)
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

#ifdef __linux__

/* Four times what pipes have, so that the two ends meet less often; a user may have 64 MiB in all (pipe(7)). */
#define PIPE_SIZE 262144

void lazy_output_splice(int from)
{
    static bool is_large;

    if (!is_large)
        lazy_call_pipe_size(1, PIPE_SIZE);
    is_large = true;
    while (lazy_call_splice(from, 1, PIPE_SIZE) > 0)
        ;
}

#else

void lazy_output_splice(int from)
{
    (void)from;
}

#endif

static void add_headers(struct lazy_text *text, const struct lazy_error *error, bool is_html)
{
    const struct lazy_failure_entry *entry = lazy_failure_entry(error->failure);

    lazy_text_format(text, "Status: %d %s\nCache-Control: no-store\nContent-Type: text/%s\n",
                     entry->status, entry->reason, is_html ? "html" : "plain");
    if (error->retry_after > 0)
        lazy_text_format(text, "Retry-After: %d\n", error->retry_after);
    lazy_text_add(text, "\n");
}

void lazy_output_page(const struct lazy_error *error)
{
    bool is_html = lazy_page_is_html(getenv("HTTP_ACCEPT"));
    char page[LAZY_PAGE_SIZE + 256];
    struct lazy_text text;

    lazy_text_begin(&text, page, sizeof page);
    add_headers(&text, error, is_html);
    lazy_page_add(&text, error, is_html, getenv("REQUEST_METHOD"));
    lazy_output_send(1, text.start, text.length);
}

void lazy_output_log(const char *file, const char *sentence)
{
    char line[PATH_MAX + LAZY_SENTENCE_SIZE];
    struct lazy_text text;

    lazy_text_begin(&text, line, sizeof line - 1);
    lazy_text_format(&text, "lazyscgi: %s: %s", file, sentence);
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = '?'; /* what it quotes could go on as a line of its own */
    line[text.length++] = '\n';
    lazy_output_send(2, line, text.length); /* at once: other requests write there too */
}

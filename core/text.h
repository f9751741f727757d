/* Text put together in a caller's buffer, without stdio: usable between fork and exec. */
#ifndef LAZY_TEXT_H
#define LAZY_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct lazy_text {
    char *start;   /* always NUL-terminated when size > 0 */
    size_t size;   /* bytes at start, the NUL included */
    size_t length; /* bytes written, without the NUL */
    bool cut;      /* something did not fit */
};

/* Begins an empty text in `size` bytes at `start`, which the caller keeps. */
void lazy_text_begin(struct lazy_text *text, char *start, size_t size);

/* Appends `length` bytes; what does not fit is left out and `cut` is set. */
void lazy_text_bytes(struct lazy_text *text, const char *bytes, size_t length);

/* Appends a string. */
void lazy_text_add(struct lazy_text *text, const char *string);

/* Appends like printf(3), of which it knows %s, %d, %lld and %%. */
void lazy_text_format(struct lazy_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void lazy_text_vformat(struct lazy_text *text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Appends milliseconds the way the keys read them: "500ms", "30s", "5m". */
void lazy_text_duration(struct lazy_text *text, long long milliseconds);

/* Appends seconds since 1970 as "2026-11-23 18:58:01 UTC". gmtime_r takes locks in some libraries,
 * which a child forked from a threaded process must not touch. */
void lazy_text_utc(struct lazy_text *text, long long seconds);

#endif

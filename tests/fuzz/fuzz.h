/* What the fuzz harnesses share. Each is one file with LLVMFuzzerTestOneInput(): libFuzzer's main calls
 * it with inputs that it makes up, replay.c's with those that are kept. */
#ifndef LAZY_FUZZ_H
#define LAZY_FUZZ_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tests one input; returns 0. An input for which something does not hold ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, with a word on stderr, unless it holds; whatever the compiler's options are. */
#define FUZZ_HOLDS(condition) fuzz_holds((condition), #condition, __FILE__, __LINE__)
void fuzz_holds(bool condition, const char *text, const char *file, int line);

/* `size` bytes on the heap, copied from `data`; the caller frees them. Of exactly that size, so that the
 * sanitizers and valgrind see the first byte too many. */
char *fuzz_bytes(const void *data, size_t size);

/* The same with a NUL at the end. */
char *fuzz_string(const void *data, size_t size);

/* A temporary folder, the same for the whole run, which removes it at its end. */
const char *fuzz_folder(void);

/* Writes a file, readable by its owner only. */
void fuzz_write(const char *path, const void *data, size_t size);

/* The error is one of a refused setting: it has that code, and a sentence that ends. */
void fuzz_refused(const struct lazy_error *error);

#endif

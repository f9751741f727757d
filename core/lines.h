/* The `key = value` lines of app files and state files: '#' comments, blank lines, values to the end
 * of the line, trimmed. Works in place: keys and values point into the text. */
#ifndef LAZY_LINES_H
#define LAZY_LINES_H

struct lazy_lines {
    char *next; /* the rest of the text, NUL-terminated */
    int number; /* of the line that the last call returned, from 1 */
};

enum lazy_line { LAZY_LINE_END, LAZY_LINE_PAIR, LAZY_LINE_MALFORMED };

/* The next pair. LAZY_LINE_MALFORMED: a line that is neither blank, comment nor `key = value`; *key
 * is then the whole line. An empty value is a pair. */
enum lazy_line lazy_lines_next(struct lazy_lines *lines, char **key, char **value);

#endif

#include "unit.h"

#include "core/request.h"

#include <stdlib.h>
#include <string.h>

static char storage[4096];
static struct lazy_request request;

static void begin(long long content_length)
{
    memset(storage, 'x', sizeof storage);
    lazy_request_begin(&request, storage, sizeof storage, content_length);
}

static void add(const char *name, const char *value)
{
    lazy_request_add(&request, name, strlen(name), value);
}

static void ends_as(const char *head, size_t length)
{
    ck_assert_int_eq(lazy_request_end(&request), 0);
    ck_assert_uint_eq(request.head_length, length);
    ck_assert_mem_eq(request.head, head, length);
}

/* A literal without its last NUL. */
#define ENDS_AS(head) ends_as(head, sizeof(head) - 1)

/* The example of the SCGI document. */
static const char example[] = "70:CONTENT_LENGTH\0" "27\0"
                              "SCGI\0" "1\0"
                              "REQUEST_METHOD\0" "POST\0"
                              "REQUEST_URI\0" "/deepthought\0"
                              ",";

static void begin_example(char *where, size_t size)
{
    lazy_request_begin(&request, where, size, 27);
    add("REQUEST_METHOD", "POST");
    add("REQUEST_URI", "/deepthought");
}

START_TEST(head_is_the_documents)
{
    begin_example(storage, sizeof storage);
    ENDS_AS(example);
}
END_TEST

START_TEST(head_without_variables)
{
    begin(0);
    ENDS_AS("24:CONTENT_LENGTH\0" "0\0" "SCGI\0" "1\0" ",");
    begin(9223372036854775807);
    ENDS_AS("42:CONTENT_LENGTH\0" "9223372036854775807\0" "SCGI\0" "1\0" ",");
}
END_TEST

/* Storage of exactly each size, so that the sanitizers and valgrind see the first byte too many. */
START_TEST(storage_of_every_size)
{
    size_t needed;

    begin_example(storage, sizeof storage);
    ck_assert_int_eq(lazy_request_end(&request), 0);
    needed = request.needed;
    ck_assert_uint_ge(needed, request.head_length);
    for (size_t size = 0; size <= needed + 1; size++) {
        char *exact = size > 0 ? malloc(size) : NULL;

        begin_example(exact, size);
        if (size < needed) {
            ck_assert_int_eq(lazy_request_end(&request), -1);
        } else {
            ENDS_AS(example);
            ck_assert(request.head >= exact);
            ck_assert(request.head + request.head_length <= exact + size);
        }
        ck_assert_uint_eq(request.needed, needed);
        free(exact);
    }
}
END_TEST

START_TEST(names_need_no_nul)
{
    begin(0);
    lazy_request_add(&request, "HTTP_HOST=example.org", 9, "example.org");
    ENDS_AS("46:CONTENT_LENGTH\0" "0\0" "SCGI\0" "1\0" "HTTP_HOST\0" "example.org\0" ",");
}
END_TEST

START_TEST(values_may_be_empty)
{
    begin(0);
    add("QUERY_STRING", "");
    ENDS_AS("38:CONTENT_LENGTH\0" "0\0" "SCGI\0" "1\0" "QUERY_STRING\0" "\0" ",");
}
END_TEST

static const struct {
    const char *name;
    bool kept;
} variables[] = {
    {"CONTENT_LENGTH", false},
    {"SCGI", false},
    {"HTTP_PROXY", false},
    {"HTTP_TRANSFER_ENCODING", false},
    {"", false},
    {"CONTENT_LENGTH2", true}, /* what only looks like those */
    {"CONTENT_LENGT", true},
    {"SCGI_", true},
    {"SCG", true},
    {"HTTP_PROXY_CONNECTION", true},
    {"HTTP_PROX", true},
    {"http_proxy", true},
    {"HTTP_TRANSFER_ENCODINGS", true},
    {"HTTP_TE", true},
    {"CONTENT_TYPE", true},
};

START_TEST(some_variables_are_left_out)
{
    size_t before;

    begin(5);
    before = request.needed;
    add(variables[_i].name, "value");
    ck_assert_uint_eq(request.needed - before,
                      variables[_i].kept ? strlen(variables[_i].name) + 7 : 0);
    if (!variables[_i].kept)
        ENDS_AS("24:CONTENT_LENGTH\0" "5\0" "SCGI\0" "1\0" ",");
}
END_TEST

static const struct {
    const char *method;
    bool is_safe;
} methods[] = {
    {"GET", true},      {"HEAD", true},   {"OPTIONS", true}, {"TRACE", true},  {"PUT", true},
    {"DELETE", true},   {"POST", false},  {"PATCH", false},  {"CONNECT", false}, {"get", false},
    {"GETTY", false},   {"GE", false},    {"", false},       {"PROPFIND", false},
};

START_TEST(safe_methods_are_known)
{
    begin(0);
    ck_assert(!request.is_safe);
    add("REQUEST_METHOD", methods[_i].method);
    add("HTTP_X_REQUEST_METHOD", "GET");
    add("X", "GET");
    ck_assert_int_eq(request.is_safe, methods[_i].is_safe);
    ck_assert_int_eq(lazy_request_end(&request), 0);
    ck_assert_int_eq(request.is_safe, methods[_i].is_safe);
}
END_TEST

/* As the front does it: count, then build in storage that is large enough. */
START_TEST(large_values_are_kept)
{
    const size_t length = 1 << 20;
    char *value = malloc(length + 1), *large = NULL;
    size_t size = 0;

    memset(value, 'v', length);
    value[length] = '\0';
    for (int tries = 0; tries < 2; tries++) {
        lazy_request_begin(&request, large, size, 0);
        add("HTTP_COOKIE", value);
        if (lazy_request_end(&request) == 0)
            break;
        ck_assert_ptr_null(large);
        size = request.needed;
        large = malloc(size);
    }
    ck_assert_ptr_nonnull(request.head);
    ck_assert_uint_eq(request.head_length, 8 + 24 + 12 + length + 1 + 1);
    ck_assert_mem_eq(request.head, "1048613:CONTENT_LENGTH", 22);
    ck_assert_mem_eq(request.head + 32, "HTTP_COOKIE", 12);
    ck_assert_int_eq(memcmp(request.head + 44, value, length + 1), 0);
    ck_assert_int_eq(request.head[request.head_length - 1], ',');
    free(large);
    free(value);
}
END_TEST

Suite *request_suite(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = unit_case(suite, "request");

    tcase_add_test(tcase, head_is_the_documents);
    tcase_add_test(tcase, head_without_variables);
    tcase_add_test(tcase, storage_of_every_size);
    tcase_add_test(tcase, names_need_no_nul);
    tcase_add_test(tcase, values_may_be_empty);
    tcase_add_loop_test(tcase, some_variables_are_left_out, 0,
                        sizeof variables / sizeof *variables);
    tcase_add_loop_test(tcase, safe_methods_are_known, 0, sizeof methods / sizeof *methods);
    tcase_add_test(tcase, large_values_are_kept);
    return suite;
}

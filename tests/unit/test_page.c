#include "unit.h"

#include "core/page.h"

#include <string.h>

static char page[LAZY_PAGE_SIZE];

static const char *page_of(enum lazy_failure failure, bool is_html, const char *method)
{
    struct lazy_error error = {.failure = failure, .retry_after = 7};
    struct lazy_text text;

    strcpy(error.sentence, "the secret path /home/me can't be run");
    lazy_text_begin(&text, page, sizeof page);
    lazy_page_add(&text, &error, is_html, method);
    ck_assert(!text.cut);
    return page;
}

START_TEST(every_failure_has_a_page)
{
    for (int failure = LAZY_APP; failure < LAZY_FAILURES; failure++)
        for (int is_html = 0; is_html < 2; is_html++) {
            const struct lazy_failure_entry *entry = lazy_failure_entry(failure);
            const char *text = page_of(failure, is_html, "GET");

            ck_assert_ptr_nonnull(strstr(text, entry->page));
            ck_assert_ptr_null(strstr(text, "secret"));
            ck_assert_int_eq(strstr(text, "<title>") != NULL, is_html);
            ck_assert_int_eq(text[strlen(text) - 1], '\n');
        }
}
END_TEST

/* What comes back by itself comes back as a GET, and only while there is something to wait for. */
START_TEST(a_page_comes_back_by_itself)
{
    static const struct {
        enum lazy_failure failure;
        bool is_html;
        const char *method;
        bool comes_back;
    } cases[] = {
        {LAZY_PATIENCE, true, "GET", true},    {LAZY_PATIENCE, true, "POST", false},
        {LAZY_PATIENCE, true, "GETS", false},  {LAZY_PATIENCE, true, NULL, false},
        {LAZY_PATIENCE, false, "GET", false},  {LAZY_BUSY, true, "GET", false},
        {LAZY_START, true, "GET", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = page_of(cases[i].failure, cases[i].is_html, cases[i].method);

        ck_assert_msg((strstr(text, "http-equiv=refresh content=7") != NULL) == cases[i].comes_back,
                      "case %zu: %s", i, text);
    }
}
END_TEST

START_TEST(browsers_get_html)
{
    ck_assert(lazy_page_is_html("text/html"));
    ck_assert(lazy_page_is_html("application/xml;q=0.9, text/html;q=0.8"));
    ck_assert(!lazy_page_is_html("*/*"));
    ck_assert(!lazy_page_is_html("text/htm"));
    ck_assert(!lazy_page_is_html(""));
    ck_assert(!lazy_page_is_html(NULL));
}
END_TEST

Suite *page_suite(void)
{
    Suite *suite = suite_create("page");
    TCase *tcase = unit_case(suite, "page");

    tcase_add_test(tcase, every_failure_has_a_page);
    tcase_add_test(tcase, a_page_comes_back_by_itself);
    tcase_add_test(tcase, browsers_get_html);
    return suite;
}

#include "variables.h"

#include "text.h"

#include <stdbool.h>
#include <string.h>

/* What the start command may see of the front's environment: nothing of a request. */
static const char *const allowed[] = {"PATH", "HOME", "USER",   "LOGNAME", "SHELL",
                                      "LANG", "TZ",   "TMPDIR", NULL};

static bool is_allowed(const struct lazy_app *app, const char *variable)
{
    const char *equals = strchr(variable, '=');
    size_t length;

    if (equals == NULL)
        return false;
    length = (size_t)(equals - variable);
    for (int i = 0; i < app->settings.env_count; i++)
        if (strncmp(app->settings.env[i], variable, length + 1) == 0)
            return false; /* the app file gives its own */
    if (strncmp(variable, "LC_", 3) == 0)
        return true;
    for (int i = 0; allowed[i] != NULL; i++)
        if (strlen(allowed[i]) == length && strncmp(allowed[i], variable, length) == 0)
            return true;
    return false;
}

static void add(struct lazy_variables *variables, char *variable)
{
    if (variables->count < LAZY_VARIABLES_MAX)
        variables->list[variables->count++] = variable;
    variables->list[variables->count] = NULL;
}

static void add_named(struct lazy_variables *variables, struct lazy_text *text, const char *name,
                      const char *value)
{
    char *start = text->start + text->length;

    lazy_text_format(text, "%s=%s", name, value);
    lazy_text_bytes(text, "", 1);
    add(variables, start);
}

void lazy_variables_set(struct lazy_variables *variables, const struct lazy_app *app)
{
    struct lazy_text text;

    variables->count = 0;
    lazy_text_begin(&text, variables->text, sizeof variables->text);
    for (char *const *at = app->environment; at != NULL && *at != NULL; at++)
        if (is_allowed(app, *at) && variables->count < LAZY_VARIABLES_MAX - LAZY_ENV_MAX - 2)
            add(variables, *at);
    add_named(variables, &text, "LAZYSCGI_SOCKET", app->socket);
    add_named(variables, &text, "LAZYSCGI_APP", app->file);
    for (int i = 0; i < app->settings.env_count; i++)
        add(variables, (char *)app->settings.env[i]);
}

#include "command.h"

#include "output.h"

#include "core/app.h"
#include "core/call.h"
#include "core/settings.h"
#include "core/text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "lazyscgi " LAZYSCGI_VERSION ": forwards a CGI request to an SCGI server, started when it isn't running.\n"
    "A web server runs it. Put this into cgi-bin/app.cgi, with your own paths and command:\n"
    "\n"
    "#!/home/me/bin/lazyscgi\n"
    "start = exec uwsgi --wsgi-file app.py --scgi-socket \"$LAZYSCGI_SOCKET\"\n"
    "\n"
    "Make it executable (chmod 755), check it, and visit it.\n"
    "\n"
    "lazyscgi --check app.cgi    says how it is understood\n"
    "lazyscgi --keys             lists what it may hold\n"
    "lazyscgi --version\n";

static int print(const char *text)
{
    return lazy_output_send(1, text, strlen(text)) < 0;
}

static int print_keys(void)
{
    char line[512];
    struct lazy_text text;

    for (const struct lazy_key *key = lazy_keys; key->name != NULL; key++) {
        lazy_text_begin(&text, line, sizeof line);
        lazy_text_format(&text, "%s\t%s\t%s\n", key->name, key->default_text, key->meaning);
        if (print(line) != 0)
            return 1;
    }
    return 0;
}

/* Nothing wrong with the file, but it may not do what its owner hopes for. */
static void add_hints(struct lazy_text *text, const struct lazy_app *app)
{
    struct stat status;

    if (app->settings.start == NULL)
        lazy_text_add(text, "# no 'start': lazyscgi only forwards, and never starts a server\n");
    if (strncmp(app->text, "#!", 2) == 0 && lazy_call_stat(AT_FDCWD, app->file, &status, 0) == 0 &&
        !(status.st_mode & S_IXUSR))
        lazy_text_add(text, "# not executable: chmod 755 it, or the web server can't run it\n");
}

static int check(const char *file)
{
    static struct lazy_app app;
    static char understood[LAZY_APP_FILE_MAX + LAZY_APP_PATHS_MAX];
    struct lazy_error error;
    struct lazy_text text;

    if (lazy_app_load(&app, file, NULL, &error) < 0) {
        lazy_output_log(file, error.sentence);
        return 1;
    }
    app.settings.socket = app.socket;
    app.settings.directory = app.directory;
    app.settings.state_dir = app.state_dir;
    app.settings.log = app.log;
    lazy_text_begin(&text, understood, sizeof understood);
    lazy_settings_add(&text, &app.settings, LAZY_SETTINGS_TEXTS | LAZY_SETTINGS_NUMBERS);
    add_hints(&text, &app);
    return print(understood);
}

int lazy_command(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";

    if (argc == 2 && strcmp(first, "--version") == 0)
        return print("lazyscgi " LAZYSCGI_VERSION "\n");
    if (argc == 2 && strcmp(first, "--keys") == 0)
        return print_keys();
    if (argc == 3 && strcmp(first, "--check") == 0)
        return check(argv[2]);
    if (argc == 2 && *first != '-') /* an owner has tried ./app.cgi in a shell */
        return check(first);
    return lazy_output_send(argc > 1 ? 2 : 1, usage, sizeof usage - 1) < 0 || argc > 1;
}

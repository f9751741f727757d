/* lazyscgi: the CGI program around core/. */

#include "command.h"
#include "forward.h"
#include "linger.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_behind_httpd(void)
{
    const char *software = getenv("SERVER_SOFTWARE");

    return software != NULL && strncmp(software, "Apache", 6) == 0;
}

int main(int argc, char **argv)
{
    const char *argument = argc > 1 ? argv[1] : NULL;

    if (getenv("GATEWAY_INTERFACE") == NULL) /* RFC 3875, 4.1.4: every CGI request has it */
        return lazy_command(argc, argv);
    lazy_forward(argument);
    if (is_behind_httpd())
        lazy_linger();
    return 0;
}

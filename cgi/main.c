/* lazyscgi: the CGI program around core/. */

#include "command.h"
#include "forward.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *argument = argc > 1 ? argv[1] : NULL;

    if (getenv("GATEWAY_INTERFACE") == NULL) /* RFC 3875, 4.1.4: every CGI request has it */
        return lazy_command(argc, argv);
    lazy_forward(argument);
    return 0;
}

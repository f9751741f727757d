/* What a CGI program of an ordinary kind costs: stdio prints the reply of backend.c, REPLY. */

#include <stdio.h>

int main(void)
{
    fputs(REPLY, stdout);
    return 0;
}

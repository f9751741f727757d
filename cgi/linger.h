/* The end of a request, as httpd's CGI modules see it. */
#ifndef LAZY_CGI_LINGER_H
#define LAZY_CGI_LINGER_H

/* Before this process exits: leaves our standard descriptors to a last process, which lets go of them
 * once we have gone. Where that can't be, nothing happens. */
void lazy_linger(void);

#endif

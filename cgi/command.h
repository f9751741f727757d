/* lazyscgi as a command: what its owner runs in a shell. */
#ifndef LAZY_CGI_COMMAND_H
#define LAZY_CGI_COMMAND_H

/* Runs the command line; returns the exit status. */
int lazy_command(int argc, char **argv);

#endif

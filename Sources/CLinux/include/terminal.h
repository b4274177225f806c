/* The modes of the terminal: changed for single keys, and given back however the program ends. */
#ifndef FDSUPERVISOR_TERMINAL_H
#define FDSUPERVISOR_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Remembers the modes of a terminal, and gives them back at exit(3) and before a signal that tells of a bug ends the
 * program. The descriptor has to stay open from here on. */
int cl_terminal_remember(int terminal);

/* Single keys, without echo; Ctrl-C and Ctrl-Z stay signals (termios(3), ISIG). */
int cl_terminal_single_keys(int terminal);

/* The modes that were remembered; async-signal-safe. Does nothing before cl_terminal_remember. */
void cl_terminal_restore(void);

/* What was remembered is no more to be given back. */
void cl_terminal_forget(void);

/* Whether this process is in the terminal's foreground (tcgetpgrp(3)). */
bool cl_terminal_is_ours(int terminal);

/* Stops this process as Ctrl-Z does; returns when it was continued. In a process group that nobody could continue the
 * kernel does not stop it (credentials(7), orphaned process groups): it returns at once. SIGTSTP stays blocked. */
int cl_stop_self(void);

/* A pair for tests: openpty(3), both ends close-on-exec. */
int cl_open_pseudo_terminal(int *master, char *name, size_t size);

#endif

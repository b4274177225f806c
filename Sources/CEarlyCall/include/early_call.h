/* The call of a plain command is on its way to the daemon before the Swift runtime has started: the daemon
 * works while the rest of the tool gets ready to read the answer. See docs/decisions/0005-early-call.md. */
#ifndef FDSUPERVISOR_EARLY_CALL_H
#define FDSUPERVISOR_EARLY_CALL_H

#include <stddef.h>

/* What was sent before main. */
struct early_call {
  int socket;          /* the connection, or -1: nothing was sent */
  const char *path;    /* the control socket's */
  const char *message; /* the call, with its closing NUL */
  size_t length;       /* of the message, in bytes, the NUL included */
};

/* Hands the connection over; -1 from the second time on. */
struct early_call early_call_take(void);

#endif

/* What a keeper knows, and how it talks: with the daemon that launched it, and with those that come after. */
#ifndef FDSUPERVISOR_TALK_H
#define FDSUPERVISOR_TALK_H

#include "keeper.h"

enum { CONTROL = 0, CHILDREN = 1, MAIN = 2 }; /* the descriptors that stay open: MAIN is a pidfd */
enum { DOOR_BACKLOG = 8 };

struct keeper {
  struct keeper_hello hello; /* what a daemon has to know that did not launch this */
  const char *title;         /* SERVICE/GENERATION */
  int main_pid;              /* 0 once it was reaped */
  unsigned stray_timeout_ms;
  int first_unused;          /* the listeners are MAIN + 1 … first_unused - 1, if they are held */
  int door, notify, output;  /* see struct keeper_plan */
  int filter;                /* the listening end of the filter for bind(2), for the next daemon; 0: there is none */
  int listener, listener_count; /* behind all others */
  int is_connected;          /* CONTROL leads to a daemon */
};

/* Takes over what has to be known of the plan later on. */
void keeper_begin(struct keeper *keeper, const struct keeper_plan *plan);

/* One message, with a descriptor (SCM_RIGHTS, unix(7)) unless that is negative. */
long tell(int control, const void *message, unsigned long length, int descriptor);

/* Takes one message of the daemon; whether there was one. The daemon's end decides whether this generation is held or
 * ended. */
int hear(struct keeper *keeper);

/* The connection is of no use any more. What the daemon said before it went counts nevertheless. */
void hear_out(struct keeper *keeper);

/* Lets in who is at the door: a daemon of the same user, who then is the one to report to. */
void admit(struct keeper *keeper);

#endif

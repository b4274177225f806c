/* What the main process does between clone(2) and execve(2). */
#ifndef FDSUPERVISOR_CHILD_H
#define FDSUPERVISOR_CHILD_H

#include "keeper.h"

struct launch {
  char *base; /* the plan, writable: lists are turned into pointers in place */
  struct keeper_plan *plan;
  int control; /* the connection to the daemon, in the child's table as well */
  int shares_descriptors; /* until the filter is installed, its table is that of the keeper (CLONE_FILES) */
  int filter;      /* out, if they are shared: the listening end of the filter; 0: there is none */
  int step, error; /* out: where it failed; the child shares the keeper's memory until execve(2) */
};

/* Turns the lists of offsets into arrays of pointers. Called once, by the keeper, before clone. */
void launch_relocate(struct launch *launch);

/* Runs in the child; ends in the program, or in exit with step and error set. */
void launch_child(void *launch);

#endif

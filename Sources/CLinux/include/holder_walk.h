/* Who has a descriptor of given sockets: the walk over /proc/PID/fd, in C because it runs in forked workers
 * and because none of its ~100,000 steps may allocate. Functions keep libc's convention: -1 and errno. */
#ifndef FDSUPERVISOR_HOLDER_WALK_H
#define FDSUPERVISOR_HOLDER_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One descriptor. */
struct cl_holder {
  pid_t pid;
  int fd;         /* io_uring: that of the ring */
  pid_t thread;   /* 0: in the table of the process; else in the own table of this thread */
  int registered; /* 1: registered with an io_uring, which needs no descriptor of its own */
  uint64_t inode;
};

/* A walk and its results, in memory that its workers share. */
struct cl_walk;

/* `inodes` are sorted upwards; `pids` NULL means every process that this /proc shows. NULL and errno. */
struct cl_walk *cl_walk_create(
  const uint64_t *inodes, size_t inode_count, const pid_t *pids, size_t pid_count);
void cl_walk_destroy(struct cl_walk *walk);

/* Walks now, with up to `workers` forked helpers beside the caller. */
int cl_walk_run(struct cl_walk *walk, int workers);

/* Walks in a forked child at the lowest priority, which holds no descriptor of ours and dies with the caller:
 * its pid, to be reaped by the caller. */
pid_t cl_walk_start(struct cl_walk *walk);

/* True when every part of the walk came to its end; what it left is complete only then. */
bool cl_walk_complete(const struct cl_walk *walk);
size_t cl_walk_count(const struct cl_walk *walk);
struct cl_holder cl_walk_holder(const struct cl_walk *walk, size_t index);
/* Processes whose descriptors could not be read. */
uint32_t cl_walk_unreadable(const struct cl_walk *walk);
/* More holders were found than there is room for (65,536). */
bool cl_walk_truncated(const struct cl_walk *walk);

#endif

/* One process of the walk: see process_scan.c. Private to CLinux. */
#ifndef FDSUPERVISOR_PROCESS_SCAN_H
#define FDSUPERVISOR_PROCESS_SCAN_H

#include "holder_walk.h"

/* Some 40 KiB, meant for the stack: nothing of a scan allocates. */
struct scan {
  int proc; /* the open directory /proc */
  const uint64_t *inodes; /* sorted upwards */
  size_t inode_count;
  void (*found)(void *context, const struct cl_holder *holder);
  void *context;
  _Alignas(8) char tasks[8192];
  _Alignas(8) char entries[32768];
};

/* Reports every wanted descriptor of a process. False when some of them could not be read; a process that is
 * gone, or that can't have descriptors (a kernel thread, a zombie), is true. */
bool scan_process(struct scan *scan, pid_t pid);

/* Calls `visit` with every number that names an entry of a directory; false when it could not be read. */
typedef bool visit_number(void *context, const char *name, int number);
bool each_number(int directory, char *buffer, size_t size, visit_number *visit, void *context);

#endif

/* What a system call waits for, by its number: what /proc/PID/syscall shows of a process that sleeps. */
#ifndef FDSUPERVISOR_WAITING_H
#define FDSUPERVISOR_WAITING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum cl_waiting {
  CL_WAITS_FOR_OTHER,      /* nothing that comes to a listener */
  CL_WAITS_FOR_ARGUMENT,   /* the descriptor that is its first argument: accept(2), recvfrom(2) and their kin */
  CL_WAITS_FOR_POLL,       /* the list that its first argument points to, as long as its second says: poll(2) */
  CL_WAITS_FOR_SELECT,     /* those below its first argument that the set at its second has: select(2) */
  CL_WAITS_FOR_SEVERAL,    /* descriptors that are not to be read from outside: io_uring(7) */
  CL_WAITS_FOR_EPOLL,      /* the interest list of its first argument, epoll(7) */
};

enum cl_waiting cl_waiting_of(long number);

/* Reads the memory of a process, process_vm_readv(2): how many bytes, or -1 with errno. */
long cl_read_memory(pid_t pid, uint64_t address, void *buffer, size_t length);

#endif

/* What a system call waits for, by its number: what /proc/PID/syscall shows of a process that sleeps. */
#ifndef FDSUPERVISOR_WAITING_H
#define FDSUPERVISOR_WAITING_H

enum cl_waiting {
  CL_WAITS_FOR_OTHER,      /* nothing that comes to a listener */
  CL_WAITS_FOR_ARGUMENT,   /* the descriptor that is its first argument: accept(2), recvfrom(2) and their kin */
  CL_WAITS_FOR_SEVERAL,    /* descriptors that are listed in the memory of the process: poll(2), select(2) */
  CL_WAITS_FOR_EPOLL,      /* the interest list of its first argument, epoll(7) */
};

enum cl_waiting cl_waiting_of(long number);

#endif

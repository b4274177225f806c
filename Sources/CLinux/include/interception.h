/* bind(2) and listen(2) of another process, told and answered through a seccomp filter: seccomp_unotify(2). */
#ifndef FDSUPERVISOR_INTERCEPTION_H
#define FDSUPERVISOR_INTERCEPTION_H

#include <stdint.h>
#include <sys/types.h>

enum cl_call_kind {
  CL_CALL_BIND = 1,
  CL_CALL_LISTEN = 2,
  CL_CALL_RING = 3,     /* io_uring_setup(2) */
};

struct cl_socket_call {
  uint64_t id;          /* of the notification; a later one never has the same */
  pid_t thread;         /* who calls, in our pid namespace */
  uint32_t kind;        /* enum cl_call_kind */
  int descriptor;       /* in the caller's table; these three are not of CL_CALL_RING */
  uint64_t address;     /* in the caller's memory; of CL_CALL_BIND, as the next */
  uint32_t length;      /* of the address, as the caller says */
};

/* Asks the kernel to wake either side on the processor of the other: they take turns, and a processor that sleeps need
 * not be woken for it. Linux 6.6; before that nothing happens. */
void cl_calls_take_turns(int filter);

/* Takes one call from the listening end of a filter: 1 and the call; 0 when the caller is gone; -1 and errno. To be
 * called when poll(2) said that there is one: else it waits. */
int cl_call_receive(int filter, struct cl_socket_call *call);

/* The caller's address, at most `room` bytes: how many, or -1 and errno (process_vm_readv(2): the rights of ptrace(2)
 * are needed). Only after cl_call_is_pending the bytes are known to be the caller's. */
long cl_call_read_address(const struct cl_socket_call *call, void *buffer, size_t room);

/* Whether the caller still waits for the answer: 1 or 0. Until it does not, its thread id is its own. */
int cl_call_is_pending(int filter, uint64_t id);

/* Lets the kernel carry out the call as if nobody had looked. */
int cl_call_continue(int filter, uint64_t id);

/* Puts a copy of `ours` in place of the caller's descriptor, close-on-exec, Linux 5.9. */
int cl_call_replace(int filter, uint64_t id, int ours, int theirs);

/* Ends the call: it returns 0, or -1 with that errno. */
int cl_call_answer(int filter, uint64_t id, int error);

/* A descriptor of another process, pidfd_getfd(2), close-on-exec; Linux 5.6. */
int cl_pidfd_getfd(int pidfd, int descriptor);

#endif

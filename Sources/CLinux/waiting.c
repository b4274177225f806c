/* The numbers of system calls differ between machines, and only C knows their names. */
#define _GNU_SOURCE
#include "waiting.h"

#include <sys/syscall.h>
#include <sys/uio.h>

long cl_read_memory(pid_t pid, uint64_t address, void *buffer, size_t length) {
  struct iovec here = {buffer, length}, there = {(void *)(uintptr_t)address, length};
  return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

enum cl_waiting cl_waiting_of(long number) {
  switch (number) {
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_read: return CL_WAITS_FOR_ARGUMENT;
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll: return CL_WAITS_FOR_POLL;
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6: return CL_WAITS_FOR_SELECT;
    case SYS_io_uring_enter: return CL_WAITS_FOR_SEVERAL;
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
    case 441 /* epoll_pwait2, Linux 5.11 */: return CL_WAITS_FOR_EPOLL;
    default: return CL_WAITS_FOR_OTHER;
  }
}

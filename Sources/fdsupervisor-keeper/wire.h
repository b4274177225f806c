/* A message to the daemon, with a descriptor or without. */
#ifndef FDSUPERVISOR_WIRE_H
#define FDSUPERVISOR_WIRE_H

#include "kernel.h"
#include "keeper.h"

struct message_header { /* struct msghdr of the kernel's ABI (struct user_msghdr) */
  void *name;
  int name_length;
  void *vector;
  unsigned long vector_count;
  void *control;
  unsigned long control_length;
  unsigned flags;
};

struct rights { /* one SCM_RIGHTS message with one descriptor, unix(7) */
  unsigned long length;
  int level, type, descriptor, padding;
};

static inline long tell(int control, struct keeper_message *message, int descriptor) {
  struct { void *base; unsigned long length; } vector = {message, sizeof *message};
  struct rights rights = {20, 1 /* SOL_SOCKET */, 1 /* SCM_RIGHTS */, descriptor, 0};
  struct message_header header = {.vector = &vector, .vector_count = 1};
  if (descriptor >= 0) {
    header.control = &rights;
    header.control_length = sizeof rights;
  }
  return KERNEL(sendmsg, control, &header, 0x4000 /* MSG_NOSIGNAL */);
}

#endif

/* The supervisor's side of seccomp_unotify(2). The structures may grow in later kernels, which then write more than
 * ours have, and want the buffer zero: the buffers have room to spare. */
#define _GNU_SOURCE
#include "interception.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

union notification {
  struct seccomp_notif fields;
  char room[512];
};

union response {
  struct seccomp_notif_resp fields;
  char room[512];
};

/* How a 32-bit program may call, beside the calls of their own: socketcall(2), with the arguments in its memory. */
enum { OLD_SOCKETCALL = 102 };
enum { OLD_BIND_OF_X86 = 361, OLD_LISTEN_OF_X86 = 363, OLD_BIND_OF_ARM = 282, OLD_LISTEN_OF_ARM = 284 };

static long read_memory(pid_t thread, uint64_t address, void *buffer, size_t length) {
  struct iovec here = {buffer, length}, there = {(void *)(uintptr_t)address, length};
  return process_vm_readv(thread, &here, 1, &there, 1, 0);
}

static void decode(const struct seccomp_notif *from, struct cl_socket_call *call) {
  uint64_t arguments[3] = {from->data.args[0], from->data.args[1], from->data.args[2]};
  uint32_t packed[3] = {0, 0, 0};
  call->kind = from->data.nr == SYS_bind ? CL_CALL_BIND : from->data.nr == SYS_listen ? CL_CALL_LISTEN : CL_CALL_RING;
  if (from->data.arch == AUDIT_ARCH_I386 || from->data.arch == AUDIT_ARCH_ARM) switch (from->data.nr) {
    case OLD_BIND_OF_X86: case OLD_BIND_OF_ARM: call->kind = CL_CALL_BIND; break;
    case OLD_LISTEN_OF_X86: case OLD_LISTEN_OF_ARM: call->kind = CL_CALL_LISTEN; break;
    case OLD_SOCKETCALL:
      call->kind = from->data.args[0] == 2 /* SYS_BIND, linux/net.h */ ? CL_CALL_BIND : CL_CALL_LISTEN;
      /* What can't be read is descriptor -1, which nobody has. */
      if (read_memory(call->thread, from->data.args[1], packed, sizeof packed) < (long)(2 * sizeof *packed))
        packed[0] = ~0u;
      for (int i = 0; i < 3; i++) arguments[i] = packed[i];
      break;
    default: call->kind = CL_CALL_RING;
  }
  call->descriptor = (int)arguments[0];
  call->address = arguments[1];
  call->length = (uint32_t)arguments[2];
}

/* include/uapi/linux/seccomp.h of Linux 6.6: the flag is the argument, not what it points to. */
#define OUR_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t)
enum { OUR_NOTIF_FD_SYNC_WAKE_UP = 1 };

void cl_calls_take_turns(int filter) { ioctl(filter, OUR_IOCTL_NOTIF_SET_FLAGS, OUR_NOTIF_FD_SYNC_WAKE_UP); }

int cl_call_receive(int filter, struct cl_socket_call *call) {
  union notification notification;
  memset(&notification, 0, sizeof notification);
  if (ioctl(filter, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) return errno == ENOENT || errno == EINTR ? 0 : -1;
  call->id = notification.fields.id;
  call->thread = (pid_t)notification.fields.pid;
  decode(&notification.fields, call);
  return 1;
}

long cl_call_read_address(const struct cl_socket_call *call, void *buffer, size_t room) {
  return read_memory(call->thread, call->address, buffer, call->length < room ? call->length : room);
}

int cl_call_is_pending(int filter, uint64_t id) { return ioctl(filter, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0; }

static int respond(int filter, uint64_t id, int error, uint32_t flags) {
  union response response;
  memset(&response, 0, sizeof response);
  response.fields.id = id;
  response.fields.error = -error;
  response.fields.flags = flags;
  return ioctl(filter, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

int cl_call_continue(int filter, uint64_t id) { return respond(filter, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }

int cl_call_answer(int filter, uint64_t id, int error) { return respond(filter, id, error, 0); }

int cl_call_replace(int filter, uint64_t id, int ours, int theirs) {
  struct seccomp_notif_addfd addition;
  memset(&addition, 0, sizeof addition);
  addition.id = id;
  addition.flags = SECCOMP_ADDFD_FLAG_SETFD;
  addition.srcfd = (uint32_t)ours;
  addition.newfd = (uint32_t)theirs;
  addition.newfd_flags = O_CLOEXEC;
  return ioctl(filter, SECCOMP_IOCTL_NOTIF_ADDFD, &addition) < 0 ? -1 : 0;
}

int cl_pidfd_getfd(int pidfd, int descriptor) { return (int)syscall(SYS_pidfd_getfd, pidfd, descriptor, 0); }

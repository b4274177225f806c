/* The supervisor's side of seccomp_unotify(2). The structures may grow in later kernels, which then write more than
 * ours have, and want the buffer zero: the buffers have room to spare. */
#define _GNU_SOURCE
#include "interception.h"

#include <errno.h>
#include <fcntl.h>
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

int cl_bind_receive(int filter, struct cl_bind_call *call) {
  union notification notification;
  memset(&notification, 0, sizeof notification);
  if (ioctl(filter, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) return errno == ENOENT || errno == EINTR ? 0 : -1;
  call->id = notification.fields.id;
  call->thread = (pid_t)notification.fields.pid;
  call->descriptor = (int)notification.fields.data.args[0];
  call->address = notification.fields.data.args[1];
  call->length = (uint32_t)notification.fields.data.args[2];
  return 1;
}

long cl_bind_read_address(const struct cl_bind_call *call, void *buffer, size_t room) {
  size_t length = call->length < room ? call->length : room;
  struct iovec here = {buffer, length}, there = {(void *)(uintptr_t)call->address, length};
  return process_vm_readv(call->thread, &here, 1, &there, 1, 0);
}

int cl_bind_is_pending(int filter, uint64_t id) { return ioctl(filter, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0; }

static int respond(int filter, uint64_t id, int error, uint32_t flags) {
  union response response;
  memset(&response, 0, sizeof response);
  response.fields.id = id;
  response.fields.error = -error;
  response.fields.flags = flags;
  return ioctl(filter, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

int cl_bind_continue(int filter, uint64_t id) { return respond(filter, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }

int cl_bind_answer(int filter, uint64_t id, int error) { return respond(filter, id, error, 0); }

int cl_bind_replace(int filter, uint64_t id, int ours, int theirs) {
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

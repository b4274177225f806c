/* What libc has and Swift can not call, or does not show: see CLinux.h. */
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <spawn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int cl_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cl_pidfd_send_signal(int pidfd, int signal, unsigned flags) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, flags);
}

int cl_mark_close_on_exec(unsigned first) {
  return (int)syscall(SYS_close_range, first, ~0u, CLOSE_RANGE_CLOEXEC);
}

int cl_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }

int cl_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int cl_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int cl_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }

int cl_ioctl_int(int fd, unsigned long request, int *value) { return ioctl(fd, request, value); }

int cl_open(const char *path, int flags, mode_t mode) { return open(path, flags | O_CLOEXEC, mode); }

int cl_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

void cl_receive(int socket, void *buffer, size_t size, struct cl_received *received) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 8)];
  } control;
  struct iovec vector = {buffer, size};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  memset(received, 0, sizeof *received);
  do received->length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (received->length < 0 && errno == EINTR);
  if (received->length < 0) return;
  received->truncated = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) {
      int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      memcpy(received->descriptors, CMSG_DATA(c), (size_t)count * sizeof(int));
      received->descriptor_count = count;
    } else if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(c), sizeof sender);
      received->has_credentials = true;
      received->pid = sender.pid;
      received->uid = sender.uid;
      received->gid = sender.gid;
    }
  }
}

int cl_peer(int socket, pid_t *pid, uid_t *uid, gid_t *gid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
  *pid = peer.pid;
  *uid = peer.uid;
  *gid = peer.gid;
  return 0;
}

int cl_reap(pid_t *pid, int *code, int *status) {
  siginfo_t gone;
  gone.si_pid = 0;
  if (waitid(P_ALL, 0, &gone, WEXITED | WSTOPPED | WNOHANG) < 0) return -1;
  *pid = gone.si_pid;
  *code = gone.si_code;
  *status = gone.si_status;
  return gone.si_pid != 0;
}

static int add_descriptors(posix_spawn_file_actions_t *actions, const int *descriptors, int count) {
  /* dup2 onto itself clears close-on-exec (POSIX.1-2024, and glibc since 2.29). */
  for (int i = 0; i < count; i++) {
    int error = posix_spawn_file_actions_adddup2(actions, descriptors[i], i);
    if (error) return error;
  }
  return posix_spawn_file_actions_addclosefrom_np(actions, count);
}

static int spawn(const char *program, char *const arguments[], const int *descriptors, int count, pid_t *pid) {
  static char *const empty[] = {NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t all, none;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  error = posix_spawnattr_init(&attributes);
  if (error) {
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  error = add_descriptors(&actions, descriptors, count);
  if (!error) error = posix_spawn(pid, program, &actions, &attributes, arguments, empty);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

int cl_spawn(const char *program, char *const arguments[], const int *descriptors, int count, pid_t *pid) {
  /* First out of the way: a wanted number may be in use by a descriptor that is still needed. */
  int *high = malloc(sizeof(int) * (size_t)(count ? count : 1));
  int made = 0, error = 0;
  if (!high) return ENOMEM;
  for (; made < count && !error; made++) {
    high[made] = fcntl(descriptors[made], F_DUPFD_CLOEXEC, count);
    if (high[made] < 0) {
      error = errno;
      break;
    }
  }
  if (!error) error = spawn(program, arguments, high, count, pid);
  while (made) close(high[--made]);
  free(high);
  return error;
}

int cl_hasten(void) {
  struct sched_param lowest = {.sched_priority = 1};
  if (sched_getscheduler(0) != SCHED_OTHER) return errno = EBUSY, -1;
  return sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest);
}

int cl_slacken(void) {
  struct sched_param none = {0};
  if (sched_setscheduler(0, SCHED_OTHER, &none) == 0) return 0;
  return sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none); /* clearing it takes CAP_SYS_NICE */
}

int cl_process_exists(pid_t pid) { return kill(pid, 0) == 0 || errno == EPERM; }

int cl_owner(const char *path, uid_t *owner) {
  struct stat status;
  if (stat(path, &status) < 0) return -1;
  *owner = status.st_uid;
  return 0;
}

int cl_bind_unix(int socket, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, length + 1);
  return bind(socket, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1));
}

int cl_descriptors_left(int count) {
  int made[64], n = 0, result = 0;
  if (count > 64) count = 64;
  for (; n < count; n++) {
    made[n] = fcntl(0, F_DUPFD_CLOEXEC, 0);
    if (made[n] < 0) {
      result = -1;
      break;
    }
  }
  int error = errno;
  while (n) close(made[--n]);
  errno = error;
  return result;
}

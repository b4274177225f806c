/* What Linux has and Swift's Glibc module does not show, and what C can say and Swift can't.
 * Every function keeps libc's convention: -1 and errno. */
#ifndef FDSUPERVISOR_CLINUX_H
#define FDSUPERVISOR_CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control_groups.h"
#include "file_watch.h"
#include "holder_walk.h"
#include "interception.h"
#include "resident_pages.h"
#include "socket_diag.h"
#include "sockets.h"
#include "terminal.h"
#include "trial_bind.h"
#include "waiting.h"

/* pidfd_open(2), pidfd_send_signal(2): Linux 5.3. flags of the latter: 0, or CL_PIDFD_PROCESS_GROUP (Linux 6.9). */
#define CL_PIDFD_PROCESS_GROUP 4u
int cl_pidfd_open(pid_t pid);
int cl_pidfd_send_signal(int pidfd, int signal, unsigned flags);

/* close_range(2), Linux 5.9: marks every descriptor from `first` on as close-on-exec. */
int cl_mark_close_on_exec(unsigned first);

/* A sealable memory file, memfd_create(2), close-on-exec. */
int cl_memory_file(const char *name);

/* A pipe whose both ends are close-on-exec, pipe2(2); the read end is non-blocking. */
int cl_pipe(int ends[2]);

int cl_accept(int listener); /* accept4(2): close-on-exec, non-blocking */

/* fcntl(2) is variadic, which Swift can't call. */
int cl_fcntl(int fd, int command, long argument);
int cl_ioctl_int(int fd, unsigned long request, int *value);
int cl_open(const char *path, int flags, mode_t mode);

/* Orphans below this process come to it, not to PID 1: prctl(2) PR_SET_CHILD_SUBREAPER. */
int cl_become_subreaper(void);

/* What came with one message, recvmsg(2): sender and descriptors. */
struct cl_received {
  long length;           /* bytes, 0 for end of file, -1 for an error */
  bool truncated;        /* MSG_TRUNC or MSG_CTRUNC */
  bool has_credentials;  /* SCM_CREDENTIALS (SO_PASSCRED is on) */
  pid_t pid;
  uid_t uid;
  gid_t gid;
  int descriptors[8];    /* close-on-exec */
  int descriptor_count;
};
/* More descriptors than fit are closed by the kernel (MSG_CTRUNC). Never blocks. */
void cl_receive(int socket, void *buffer, size_t size, struct cl_received *received);

/* SO_PEERCRED, unix(7). */
int cl_peer(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

/* siginfo_t is a union that Swift can't read. waitid(2) with WNOHANG | WEXITED | WSTOPPED over all children:
 * 1 and the values; 0 when nobody died or stopped; -1 and errno (ECHILD: there are none). */
#define CL_STOPPED 5 /* the code of a child that was stopped by a signal: CLD_STOPPED */
int cl_reap(pid_t *pid, int *code, int *status);

/* posix_spawn(3) of a keeper: descriptors[i] becomes i in the child, all others are closed, signals are
 * default, the mask is empty. Returns 0, or the errno of posix_spawn. */
int cl_spawn(const char *program, char *const arguments[], const int *descriptors, int count, pid_t *pid);

/* Puts this thread before all ordinary ones (SCHED_RR, sched(7)), and back: 0, or -1 and errno; EPERM without the
 * right to, EBUSY when it is not an ordinary one. What it forks meanwhile is ordinary. */
int cl_hasten(void);
int cl_slacken(void);

/* bind(2) of a Unix socket to a path; ENAMETOOLONG when it does not fit. */
int cl_bind_unix(int socket, const char *path);

/* Whether so many more descriptors (up to 64) could be opened now: 0, or -1 and EMFILE or ENFILE. */
int cl_descriptors_left(int count);

/* The owner of a file, stat(2). */
int cl_owner(const char *path, uid_t *owner);

/* 1 if the child's number still is dead or alive as such, else 0: for tests. */
int cl_process_exists(pid_t pid);

#endif

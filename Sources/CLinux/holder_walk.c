/* The walk as a whole: its shared memory, who does which share, and the processes that do it. The workers
 * only run async-signal-safe code: they are forked without exec, perhaps from a program with threads. */
#define _GNU_SOURCE
#include "process_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  holder_room = 65536,
  machine_room = 4194304, /* PID_MAX_LIMIT; memory that is never touched costs nothing */
  share = 8,              /* processes that a worker takes at once */
  worth_a_worker = 128,   /* processes below which a fork costs more than it gains */
  most_workers = 4,
};

struct cl_walk {
  size_t mapped, inode_count, pid_room;
  bool machine;
  int parts; /* how many must say that they have done theirs */
  uint64_t *inodes;
  pid_t *pids;
  struct cl_holder *holders;
  atomic_uint pid_count, next, done, unreadable, found;
};

struct cl_walk *cl_walk_create(
  const uint64_t *inodes, size_t inode_count, const pid_t *pids, size_t pid_count) {
  size_t pid_room = pids ? pid_count : machine_room;
  size_t inode_bytes = sizeof(uint64_t) * inode_count;
  size_t pid_bytes = (sizeof(pid_t) * pid_room + 7) & ~(size_t)7; /* what follows is aligned to 8 bytes */
  size_t mapped = sizeof(struct cl_walk) + inode_bytes + pid_bytes + sizeof(struct cl_holder) * holder_room;
  void *memory =
    mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  struct cl_walk *walk = memory;
  char *rest = (char *)(walk + 1);
  walk->mapped = mapped;
  walk->inode_count = inode_count;
  walk->pid_room = pid_room;
  walk->machine = !pids;
  walk->parts = 1;
  walk->inodes = (uint64_t *)rest;
  if (inode_count) memcpy(walk->inodes, inodes, inode_bytes);
  walk->pids = (pid_t *)(rest + inode_bytes);
  if (pid_count) memcpy(walk->pids, pids, sizeof(pid_t) * pid_count);
  if (pids) atomic_store(&walk->pid_count, (unsigned)pid_count);
  walk->holders = (struct cl_holder *)(rest + inode_bytes + pid_bytes);
  return walk;
}

void cl_walk_destroy(struct cl_walk *walk) { munmap(walk, walk->mapped); }

static void keep(void *context, const struct cl_holder *holder) {
  struct cl_walk *walk = context;
  unsigned index = atomic_fetch_add(&walk->found, 1);
  if (index < holder_room) walk->holders[index] = *holder;
}

static bool visit_pid(void *context, const char *name, int pid) {
  struct cl_walk *walk = context;
  unsigned count = atomic_load(&walk->pid_count);
  (void)name;
  if (count == walk->pid_room) return false;
  walk->pids[count] = pid;
  atomic_store(&walk->pid_count, count + 1);
  return true;
}

static int open_proc(void) { return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

/* The list is a snapshot: it costs a hundredth of the walk, and lets the workers share it evenly. */
static bool list_processes(struct cl_walk *walk) {
  _Alignas(8) char buffer[32768];
  int proc = open_proc();
  if (proc < 0) return false;
  bool complete = each_number(proc, buffer, sizeof buffer, visit_pid, walk);
  close(proc);
  return complete;
}

static bool work(struct cl_walk *walk) {
  struct scan scan;
  scan.inodes = walk->inodes;
  scan.inode_count = walk->inode_count;
  scan.found = keep;
  scan.context = walk;
  scan.proc = open_proc();
  if (scan.proc < 0) return false;
  unsigned count = atomic_load(&walk->pid_count), first;
  while ((first = atomic_fetch_add(&walk->next, share)) < count)
    for (unsigned i = first; i < count && i < first + share; i++)
      if (!scan_process(&scan, walk->pids[i])) atomic_fetch_add(&walk->unreadable, 1);
  close(scan.proc);
  atomic_fetch_add(&walk->done, 1);
  return true;
}

/* The child's life up to its work: no descriptor (a copy of a listener would keep its port), and no life
 * after its parent. */
static void settle(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
  prctl(PR_SET_NAME, "holder-walk");
  /* Linux 5.9; on an older one it keeps them for the short time that it lives. */
  syscall(SYS_close_range, 0, ~0u, 0);
}

/* fork(2) without the handlers of pthread_atfork(3); the child runs with every signal blocked. */
static pid_t fork_blocked(void) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t pid = _Fork();
  int error = errno;
  if (pid) sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return pid;
}

static int start_workers(struct cl_walk *walk, int wanted, pid_t pids[most_workers]) {
  pid_t parent = getpid();
  int count = 0;
  if (wanted > most_workers) wanted = most_workers;
  while (count < wanted && atomic_load(&walk->pid_count) >= worth_a_worker) {
    pid_t pid = fork_blocked();
    if (pid < 0) break; /* EAGAIN, ENOMEM: the caller does it all */
    if (pid == 0) {
      settle(parent);
      _exit(work(walk) ? 0 : 1);
    }
    pids[count++] = pid;
  }
  return count;
}

int cl_walk_run(struct cl_walk *walk, int workers) {
  pid_t pids[most_workers];
  if (walk->machine && !list_processes(walk)) return -1;
  int count = start_workers(walk, workers, pids);
  walk->parts = 1 + count;
  bool worked = work(walk);
  int error = errno;
  for (int i = 0; i < count; i++)
    while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR) continue;
  errno = error;
  return worked ? 0 : -1;
}

pid_t cl_walk_start(struct cl_walk *walk) {
  pid_t parent = getpid(), pid = fork_blocked();
  if (pid != 0) return pid;
  settle(parent);
  setpriority(PRIO_PROCESS, 0, 19);
  if (walk->machine && !list_processes(walk)) _exit(1);
  _exit(work(walk) ? 0 : 1);
}

bool cl_walk_complete(const struct cl_walk *walk) { return (int)atomic_load(&walk->done) == walk->parts; }

size_t cl_walk_count(const struct cl_walk *walk) {
  unsigned found = atomic_load(&walk->found);
  return found < holder_room ? found : holder_room;
}

struct cl_holder cl_walk_holder(const struct cl_walk *walk, size_t index) { return walk->holders[index]; }

uint32_t cl_walk_unreadable(const struct cl_walk *walk) { return atomic_load(&walk->unreadable); }

bool cl_walk_truncated(const struct cl_walk *walk) { return atomic_load(&walk->found) > holder_room; }

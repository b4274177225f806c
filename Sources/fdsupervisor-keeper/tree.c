/* How a keeper ends its tree, whatever the tree does meanwhile. A process that was sent SIGSTOP adds no child
 * any more (a fork with a pending signal starts over, Linux copy_process()): so its children, read after
 * that, are all it will ever have, and one walk from the top stops everybody who can be seen. */
#include "tree.h"

#include <linux/fcntl.h>

#include "kernel.h"
#include "text.h"

enum { SIG_KILL = 9, SIG_TERM = 15, SIG_CONT = 18, SIG_STOP = 19 };
enum { DEEPEST = 128 }; /* levels of one walk: each takes two descriptors and 1 KiB of the stack */

struct process { int pid, fd; }; /* fd: its pidfd */

typedef void visitor(int pid, const struct process *parent, int depth, int except);

static long open_file_of(int pid, const char *name) {
  char path[64] = "/proc/";
  int length = 6 + decimal(path + 6, pid);
  while (*name) path[length++] = *name++;
  path[length] = 0;
  return KERNEL(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static long open_children(const struct process *parent) {
  if (!parent) return KERNEL(openat, AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
  char name[48] = "/task/";
  int length = 6 + decimal(name + 6, parent->pid);
  for (const char *rest = "/children"; *rest;) name[length++] = *rest++;
  name[length] = 0;
  return open_file_of(parent->pid, name);
}

static void each_child(const struct process *parent, visitor *visit, int depth, int except) {
  char text[512];
  long at = open_children(parent), count;
  int pid = 0;
  if (at < 0) return;
  while ((count = KERNEL(read, at, text, sizeof text)) > 0)
    for (long i = 0; i < count; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      if (pid) visit(pid, parent, depth, except);
      pid = 0;
    }
  KERNEL(close, at);
}

/* The fourth field of its stat file; the second, its name, may hold anything and ends at the last ')'. */
static int parent_of(int pid) {
  char text[512];
  long at = open_file_of(pid, "/stat");
  if (at < 0) return 0;
  long count = KERNEL(read, at, text, sizeof text), end = 0;
  KERNEL(close, at);
  for (long i = 0; i < count; i++)
    if (text[i] == ')') end = i;
  int parent = 0;
  for (long i = end + 4; i < count && text[i] >= '0' && text[i] <= '9'; i++)
    parent = parent * 10 + (text[i] - '0');
  return parent;
}

/* Numbers of our own children are nobody else's, for only we reap them. Others have to prove whose child they
 * are while their pidfd, and after that their parent's, shows that the numbers still are theirs. */
static int is_below(const struct process *process, const struct process *parent) {
  if (!parent) return 1;
  return parent_of(process->pid) == parent->pid && KERNEL(pidfd_send_signal, parent->fd, 0, 0, 0) == 0;
}

static void kill_tree(int pid, const struct process *parent, int depth, int except) {
  struct process process = {pid, (int)KERNEL(pidfd_open, pid, 0)};
  if (process.fd < 0) { /* no descriptor to be had, or gone */
    if (!parent) KERNEL(kill, pid, SIG_KILL);
    return;
  }
  if (is_below(&process, parent)) {
    KERNEL(pidfd_send_signal, process.fd, SIG_STOP, 0, 0);
    if (depth < DEEPEST) each_child(&process, kill_tree, depth + 1, except);
    KERNEL(pidfd_send_signal, process.fd, SIG_KILL, 0, 0);
  }
  KERNEL(close, process.fd);
}

static void terminate(int pid, const struct process *parent, int depth, int except) {
  (void)parent;
  (void)depth;
  if (pid == except) return;
  KERNEL(kill, pid, SIG_TERM);
  KERNEL(kill, pid, SIG_CONT);
}

void tree_terminate(int except) { each_child(0, terminate, 0, except); }

void tree_kill(void) { each_child(0, kill_tree, 0, 0); }

/* The keeper of one generation: subreaper, parent of its main process, and the one who outlives the
 * daemon: to leave nothing behind, or to hold the generation for the next daemon (talk.c).
 *
 *   fdsupervisor-keeper TITLE CONTROL PLAN
 *
 * CONTROL and PLAN are descriptor numbers: a SOCK_SEQPACKET connection to the daemon, and the memory
 * file of struct keeper_plan. Descriptors 0 … first_unused-1 are those of the main process.
 *
 * All signals are blocked, so that nothing but SIGKILL disturbs it. Its exit is the proof that the
 * tree is empty: it exits when wait says ECHILD, not before. */
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

#include "child.h"
#include "kernel.h"
#include "keeper.h"
#include "talk.h"
#include "tree.h"

enum { SIG_KILL = 9, SIG_CHLD = 17 };
enum { CHILD_STACK = 16384, E_CHILD = 10, E_AGAIN = 11, E_NOMEM = 12 };
enum { KILL_INTERVAL_MS = 10, KILL_INTERVAL_MAX_MS = 640, WITHHELD_MS = 500 };
enum { PIDFD_PROCESS_GROUP = 4 }; /* pidfd_send_signal(2) PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */

struct child_exit { /* the head of siginfo_t for SIGCHLD, on 64-bit machines */
  int signal, error, code, padding;
  int pid, uid, status;
  int rest[25];
};

/* The compiler may ask for these even in a freestanding program. */
void *memset(void *at, int value, unsigned long count) {
  for (char *p = at; count--; p++) *(volatile char *)p = (char)value;
  return at;
}
void *memcpy(void *to, const void *from, unsigned long count) {
  for (unsigned long i = 0; i < count; i++) ((volatile char *)to)[i] = ((const char *)from)[i];
  return to;
}

static void leave(void) {
  for (;;) KERNEL(exit_group, 0);
}

static int number(const char *text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (*text - '0');
  return value;
}

static void tell_failure(int control, int step, long result) {
  struct keeper_message message = {.kind = KEEPER_FAILED, .step = step, .error = (int)-result};
  tell(control, &message, sizeof message, -1);
  leave();
}

static void block_signals(void) {
  __u64 all = ~0ull;
  KERNEL(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, 0, sizeof all);
}

/* The main process, straight in the cgroup that the plan names: to move it there later would cost the kernel a
 * grace period of milliseconds. Where that is refused (no clone3(2), as under some seccomp filters; no such cgroup any
 * more) it is created beside the keeper, and `refusal` says why; limits of the cgroup (EAGAIN, ENOMEM) are the end. */
static long create_main(struct launch *launch, long stack, int *pidfd, int *refusal) {
  const __u64 flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | (launch->shares_descriptors ? CLONE_FILES : 0);
  *refusal = 0;
  if (launch->plan->cgroup) {
    struct clone_args arguments = {.flags = flags | CLONE_INTO_CGROUP, .pidfd = (__u64)pidfd,
        .exit_signal = SIG_CHLD, .stack = (__u64)stack, .stack_size = CHILD_STACK, .cgroup = launch->plan->cgroup};
    long pid = kernel_clone(__NR_clone3, (long)&arguments, sizeof arguments, 0, launch_child, launch);
    if (pid >= 0 || pid == -E_AGAIN || pid == -E_NOMEM) return pid;
    *refusal = (int)-pid;
  }
  return kernel_clone(__NR_clone, (long)flags | SIG_CHLD, stack + CHILD_STACK, (long)pidfd, launch_child, launch);
}

/* Maps the plan, starts the main process, says so, and forgets the plan but for its head. */
static void start(struct keeper *keeper, int control, int plan_file, int *main_fd) {
  struct keeper_plan head;
  long got = KERNEL(pread64, plan_file, &head, sizeof head, 0);
  if (got != sizeof head || head.magic != KEEPER_PLAN_MAGIC || head.version != KEEPER_PLAN_VERSION)
    tell_failure(control, KEEPER_STEP_PLAN, got < 0 ? got : -22 /* EINVAL */);
  keeper_begin(keeper, &head);
  long map = KERNEL(mmap, 0, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, plan_file, 0);
  long stack = KERNEL(mmap, 0, CHILD_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map < 0 && map > -4096) tell_failure(control, KEEPER_STEP_PLAN, map);
  if (stack < 0 && stack > -4096) tell_failure(control, KEEPER_STEP_PLAN, stack);

  struct launch launch = {.base = (char *)map, .plan = (struct keeper_plan *)map, .control = control};
  /* The filter is then in our table, too. */
  launch.shares_descriptors = (head.flags & KEEPER_INTERCEPT) && (keeper->hello.flags & KEEPER_HOLDING);
  int pidfd = -1, refusal;
  launch_relocate(&launch);
  long pid = create_main(&launch, stack, &pidfd, &refusal);
  if (pid < 0) tell_failure(control, KEEPER_STEP_CLONE, pid);
  if (launch.step) {
    struct child_exit gone;
    KERNEL(waitid, P_PID, pid, &gone, WEXITED, 0);
    tell_failure(control, launch.step, -launch.error);
  }
  struct keeper_message message = {.kind = KEEPER_STARTED, .pid = (int)pid, .error = refusal};
  /* Descriptors in flight are limited per user (ETOOMANYREFS, unix(7)): the message counts without one. */
  if (tell(control, &message, sizeof message, pidfd) < 0) tell(control, &message, sizeof message, -1);
  *main_fd = pidfd;
  keeper->filter = launch.filter;
  KERNEL(munmap, map, head.size);
  KERNEL(munmap, stack, CHILD_STACK);
  keeper->main_pid = keeper->hello.head.pid = (int)pid;
}

/* Dead children are told by a descriptor; asked for before anything runs, because it may be refused. */
static int watch_children(int control) {
  __u64 child = 1ull << (SIG_CHLD - 1);
  long signals = KERNEL(signalfd4, -1, &child, sizeof child, O_CLOEXEC | O_NONBLOCK);
  if (signals < 0) tell_failure(control, KEEPER_STEP_DESCRIPTORS, signals);
  return (int)signals;
}

/* Keeps the descriptors it needs, under the numbers it knows, and lets go of all others. None of them has one
 * of the first three yet, which are those of the main process; that has its own copies by now. The door and
 * what belongs to it moves down, each below where it was and onto what was moved before. */
static void keep_descriptors(struct keeper *keeper, int control, int children, int main_fd) {
  KERNEL(dup3, control, CONTROL, O_CLOEXEC);
  KERNEL(dup3, children, CHILDREN, O_CLOEXEC);
  KERNEL(dup3, main_fd, MAIN, O_CLOEXEC);
  int first = MAIN + 1, next = (keeper->hello.flags & KEEPER_HOLDING) ? keeper->first_unused : first;
  int *moved[] = {&keeper->door, &keeper->notify, &keeper->output};
  for (int i = 0; i < 3; i++)
    if (*moved[i] > 0) {
      KERNEL(dup3, *moved[i], next, O_CLOEXEC);
      *moved[i] = next++;
    }
  for (int i = 0; i < keeper->listener_count; i++) KERNEL(dup3, keeper->listener + i, next + i, O_CLOEXEC);
  keeper->listener = next;
  next += keeper->listener_count;
  if (keeper->filter > 0) {
    KERNEL(dup3, keeper->filter, next, O_CLOEXEC);
    keeper->filter = next++;
  }
  KERNEL(close_range, next, ~0u, 0);
  /* From here on the credentials that a connecting daemon sees are the keeper's: listen(2) sets them, unix(7). */
  if (keeper->door > 0) KERNEL(listen, keeper->door, DOOR_BACKLOG);
}

/* Nobody is left. Who stands at the door is told so, before it closes. */
static void end_or_hold(struct keeper *keeper) {
  struct keeper_message message = {.kind = KEEPER_EMPTY};
  if (!keeper->is_connected) admit(keeper);
  if (keeper->is_connected && tell(CONTROL, &message, sizeof message, -1) < 0) hear_out(keeper);
  if (keeper->is_connected || (keeper->hello.flags & (KEEPER_HOLDING | KEEPER_ENDING)) != KEEPER_HOLDING) leave();
}

/* Reaps all who are dead. Returns when nobody else is dead; when there is nobody left it ends, or holds how the
 * main process ended until there is a daemon to tell. */
static void reap(struct keeper *keeper) {
  for (;;) {
    struct child_exit gone;
    gone.pid = 0;
    long result = KERNEL(waitid, P_ALL, 0, &gone, WEXITED | WNOHANG | __WALL, 0);
    if (result == -E_CHILD) return end_or_hold(keeper);
    if (result < 0 || gone.pid == 0) return;
    if (gone.pid == keeper->main_pid) {
      struct keeper_message message = {
          .kind = KEEPER_EXITED, .pid = gone.pid, .code = gone.code, .status = gone.status};
      keeper->hello.head = message;
      keeper->hello.flags |= KEEPER_MAIN_EXITED;
      if (keeper->is_connected) tell(CONTROL, &message, sizeof message, -1);
      keeper->main_pid = 0; /* from here on the number may be somebody else's */
    }
  }
}

static long milliseconds(void) {
  struct { long s, ns; } now;
  KERNEL(clock_gettime, 1 /* CLOCK_MONOTONIC */, &now);
  return now.s * 1000 + now.ns / 1000000;
}

enum { UNWATCHED = 0, WATCHED = 1 };

/* Waits for a dead child, for the daemon, or for the next one when there is none, and for the time. Returns whether
 * the main process is dead, when that is watched. */
static int wait_for_event(struct keeper *keeper, int main_process, long timeout_ms) {
  struct pollfd events[4] = {{CHILDREN, POLLIN, 0},
                             {keeper->is_connected ? CONTROL : -1, POLLIN, 0},
                             {keeper->is_connected || keeper->door <= 0 ? -1 : keeper->door, POLLIN, 0},
                             {main_process == WATCHED ? MAIN : -1, POLLIN, 0}};
  struct { long s, ns; } timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
  struct signalfd_siginfo signal;
  KERNEL(ppoll, events, 4, timeout_ms < 0 ? 0 : &timeout, 0, 8);
  while (KERNEL(read, CHILDREN, &signal, sizeof signal) > 0) {
  }
  if (events[1].revents) hear(keeper);
  if (events[2].revents) admit(keeper);
  return events[3].revents != 0;
}

/* The main process is dead: whether it can't be reaped, because somebody below us traces it and does not wait
 * for it; the tracer of a dead process goes before its parent (ptrace(2)). */
static int is_withheld(struct keeper *keeper) {
  long end = milliseconds() + WITHHELD_MS, left;
  reap(keeper);
  while (keeper->main_pid && (left = end - milliseconds()) > 0) {
    wait_for_event(keeper, UNWATCHED, left);
    reap(keeper);
  }
  return keeper->main_pid != 0;
}

/* Goes before all ordinary processes, if it may: breeders would leave it no time to kill them. */
static void hasten(void) {
  int priority = 1;
  KERNEL(sched_setscheduler, 0, 2 /* SCHED_RR */ | 0x40000000 /* SCHED_RESET_ON_FORK */, &priority);
}

/* The daemon is dead, or wants it so, or the main process is withheld: nothing of this generation may live on.
 * Ends in leave(), from reap(). */
static void sweep(struct keeper *keeper) {
  long end = milliseconds() + keeper->stray_timeout_ms, left;
  keeper->hello.flags |= KEEPER_ENDING;
  reap(keeper); /* a death may have been told together with what brought us here */
  tree_terminate(0);
  while ((left = end - milliseconds()) > 0) {
    wait_for_event(keeper, UNWATCHED, left);
    reap(keeper);
    tree_terminate(keeper->main_pid);
  }
  hasten();
  for (long interval = KILL_INTERVAL_MS;; interval *= interval < KILL_INTERVAL_MAX_MS ? 2 : 1) {
    /* In one step, which no fork within the group outruns; the pidfd means this group and no later one. */
    KERNEL(pidfd_send_signal, MAIN, SIG_KILL, 0, PIDFD_PROCESS_GROUP);
    tree_kill();
    wait_for_event(keeper, UNWATCHED, interval);
    reap(keeper);
  }
}

__attribute__((used)) void keeper_main(long *stack) {
  char **arguments = (char **)(stack + 1);
  if (*stack != 4) leave();
  int control = number(arguments[2]), plan = number(arguments[3]);
  int main_fd = -1;
  struct keeper keeper = {.title = arguments[1]};
  block_signals();
  KERNEL(setpgid, 0, 0); /* a signal to the process group of the daemon is not for us */
  long result = KERNEL(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (result < 0) tell_failure(control, KEEPER_STEP_SUBREAPER, result);
  int children = watch_children(control);
  start(&keeper, control, plan, &main_fd);
  keep_descriptors(&keeper, control, children, main_fd);
  for (;;) {
    reap(&keeper);
    int is_dead = wait_for_event(&keeper, keeper.main_pid ? WATCHED : UNWATCHED, -1);
    if (keeper.hello.flags & KEEPER_ENDING || (is_dead && is_withheld(&keeper))) sweep(&keeper);
  }
}

/* The kernel enters with argc at the top of the stack (ELF ABI of either machine). */
#if defined(__x86_64__)
__asm__(
    ".text\n.globl _start\n_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call keeper_main\n"
    "  ud2\n");
#else
__asm__(
    ".text\n.globl _start\n_start:\n"
    "  mov x29, xzr\n"
    "  mov x30, xzr\n"
    "  mov x0, sp\n"
    "  and sp, x0, #-16\n"
    "  bl keeper_main\n"
    "  brk #1\n");
#endif

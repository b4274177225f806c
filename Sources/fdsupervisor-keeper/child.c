/* The main process between clone(2) and execve(2). It shares the keeper's memory (CLONE_VM), and the
 * keeper sleeps until execve or exit (CLONE_VFORK): so a failing step is written where the keeper
 * reads it, and nothing here may change memory beside that. */
#include "child.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "kernel.h"
#include "text.h"
#include "talk.h"

enum { E_NOENT = 2, E_ACCES = 13, E_NOTDIR = 20 };

static void relocate_list(struct launch *launch, __u32 list) {
  for (__u64 *item = (__u64 *)(launch->base + list); *item; item++) *item += (__u64)launch->base;
}

void launch_relocate(struct launch *launch) {
  relocate_list(launch, launch->plan->arguments);
  relocate_list(launch, launch->plan->environment);
  relocate_list(launch, launch->plan->programs);
}

static void fail(struct launch *launch, int step, long result) {
  launch->step = step;
  launch->error = (int)-result;
  for (;;) KERNEL(exit_group, 127);
}

static void check(struct launch *launch, int step, long result) {
  if (result < 0) fail(launch, step, result);
}

static void set_oom(struct launch *launch) {
  char text[24];
  int length = decimal(text, launch->plan->oom_score_adjust);
  long fd = KERNEL(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
  check(launch, KEEPER_STEP_OOM, fd);
  check(launch, KEEPER_STEP_OOM, KERNEL(write, fd, text, length));
  KERNEL(close, fd);
}

static void set_limits(struct launch *launch) {
  struct keeper_plan *plan = launch->plan;
  struct keeper_limit *limits = (struct keeper_limit *)(launch->base + plan->limits);
  for (__u32 i = 0; i < plan->limits_count; i++) {
    __u64 pair[2] = {limits[i].soft, limits[i].hard};
    check(launch, KEEPER_STEP_LIMIT, KERNEL(prlimit64, 0, limits[i].resource, pair, 0));
  }
}

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#define OLD_ARCHITECTURE AUDIT_ARCH_I386
enum { OLD_BIND = 361, OLD_LISTEN = 363, OLD_SOCKETCALL = 102 };
#else
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#define OLD_ARCHITECTURE AUDIT_ARCH_ARM
enum { OLD_BIND = 282, OLD_LISTEN = 284, OLD_SOCKETCALL = 102 };
#endif
enum { CALL_BIND = 2, CALL_LISTEN = 4 }; /* the first argument of socketcall(2), linux/net.h */

#define LOADED(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field)
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

/* bind(2) and listen(2), of 32-bit programs too, and io_uring_setup(2), by which both could be asked for unseen, wait
 * for the daemon; all else goes on as ever. Returns its end, or -errno. */
static long filter_sockets(void) {
  enum { NUMBER = 0, ARCHITECTURE = 4, FIRST_ARGUMENT = 16 }; /* struct seccomp_data */
  struct sock_filter rules[] = {
      /*  0 */ LOADED(ARCHITECTURE),
      /*  1 */ IF_EQUAL(OUR_ARCHITECTURE, 0, 4),
      /*  2 */ LOADED(NUMBER),
      /*  3 */ IF_EQUAL(__NR_bind, 12, 0),
      /*  4 */ IF_EQUAL(__NR_listen, 11, 0),
      /*  5 */ IF_EQUAL(__NR_io_uring_setup, 10, 9),
      /*  6 */ IF_EQUAL(OLD_ARCHITECTURE, 0, 8),
      /*  7 */ LOADED(NUMBER),
      /*  8 */ IF_EQUAL(OLD_BIND, 7, 0),
      /*  9 */ IF_EQUAL(OLD_LISTEN, 6, 0),
      /* 10 */ IF_EQUAL(__NR_io_uring_setup, 5, 0), /* calls since Linux 5.1 have one number everywhere */
      /* 11 */ IF_EQUAL(OLD_SOCKETCALL, 0, 3),
      /* 12 */ LOADED(FIRST_ARGUMENT),
      /* 13 */ IF_EQUAL(CALL_BIND, 2, 0),
      /* 14 */ IF_EQUAL(CALL_LISTEN, 1, 0),
      /* 15 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      /* 16 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
  return KERNEL(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* While the rights of the daemon are still there: CAP_SYS_ADMIN, or else no_new_privs, is asked for. */
static void intercept(struct launch *launch) {
  struct keeper_plan *plan = launch->plan;
  long filter = filter_sockets();
  if (filter == -E_ACCES && plan->flags & (KEEPER_NO_NEW_PRIVS | KEEPER_MUST_INTERCEPT)) {
    check(launch, KEEPER_STEP_NO_NEW_PRIVS, KERNEL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    filter = filter_sockets();
  }
  if (plan->flags & KEEPER_MUST_INTERCEPT) check(launch, KEEPER_STEP_INTERCEPT, filter);
  struct keeper_message message = {.kind = KEEPER_INTERCEPTS, .error = filter < 0 ? (int)-filter : 0};
  long result = tell(launch->control, &message, sizeof message, (int)filter);
  /* Nobody would answer its calls: it must not run. */
  if (filter >= 0) check(launch, KEEPER_STEP_INTERCEPT, result);
  if (launch->shares_descriptors) {
    if (filter >= 0) launch->filter = (int)filter;
    check(launch, KEEPER_STEP_INTERCEPT, KERNEL(unshare, CLONE_FILES));
  }
  if (filter >= 0) KERNEL(close, filter);
}

/* Groups first, user last: after the user is gone, the right to change groups is gone too. */
static void set_user(struct launch *launch) {
  struct keeper_plan *plan = launch->plan;
  if (plan->ambient_capabilities)  /* keep the permitted set over setresuid, capabilities(7) */
    check(launch, KEEPER_STEP_CAPABILITIES, KERNEL(prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0));
  check(launch, KEEPER_STEP_GROUPS, KERNEL(setgroups, plan->groups_count, launch->base + plan->groups));
  check(launch, KEEPER_STEP_GROUP, KERNEL(setresgid, plan->gid, plan->gid, plan->gid));
  check(launch, KEEPER_STEP_USER, KERNEL(setresuid, plan->uid, plan->uid, plan->uid));
}

static void set_capabilities(struct launch *launch) {
  __u64 wanted = launch->plan->ambient_capabilities;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++) {
    __u32 half = (__u32)(wanted >> (32 * i));
    data[i].effective = data[i].permitted = data[i].inheritable = half;
  }
  check(launch, KEEPER_STEP_CAPABILITIES, KERNEL(capset, &header, data));
  for (int capability = 0; capability < 64; capability++)
    if (wanted >> capability & 1)
      check(launch, KEEPER_STEP_CAPABILITIES, KERNEL(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
}

/* The daemon's posix_spawn(3) made all dispositions default, but for the two signals that glibc keeps to itself (32 and
 * 33): those it ignores in the child, which execve(2) hands on. */
static void set_signals(struct launch *launch) {
  __u64 none = 0, by_default[4] = {0};
  for (int number = 32; number <= 33; number++)
    check(launch, KEEPER_STEP_MASK, KERNEL(rt_sigaction, number, by_default, 0, sizeof none));
  check(launch, KEEPER_STEP_MASK, KERNEL(rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, sizeof none));
}

static void execute(struct launch *launch) {
  struct keeper_plan *plan = launch->plan;
  char **programs = (char **)(launch->base + plan->programs);
  long error = -E_NOENT;
  for (; *programs; programs++) {
    long result = KERNEL(execve, *programs, launch->base + plan->arguments, launch->base + plan->environment);
    if (result != -E_NOENT && result != -E_NOTDIR) error = result;
    if (result != -E_NOENT && result != -E_NOTDIR && result != -E_ACCES) break;
  }
  fail(launch, KEEPER_STEP_EXECUTE, error);
}

void launch_child(void *argument) {
  struct launch *launch = argument;
  struct keeper_plan *plan = launch->plan;
  check(launch, KEEPER_STEP_SESSION, KERNEL(setsid, 0));
  KERNEL(umask, plan->umask);
  if (plan->flags & KEEPER_SET_NICE)
    check(launch, KEEPER_STEP_NICE, KERNEL(setpriority, 0 /* PRIO_PROCESS */, 0, plan->nice));
  if (plan->flags & KEEPER_SET_OOM) set_oom(launch);
  set_limits(launch);
  if (plan->flags & KEEPER_INTERCEPT) intercept(launch);
  if (plan->flags & KEEPER_SET_USER) set_user(launch);
  if (plan->ambient_capabilities) set_capabilities(launch);
  if (plan->flags & KEEPER_NO_NEW_PRIVS)
    check(launch, KEEPER_STEP_NO_NEW_PRIVS, KERNEL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  if (plan->directory)
    check(launch, KEEPER_STEP_DIRECTORY, KERNEL(chdir, launch->base + plan->directory));
  check(launch, KEEPER_STEP_DESCRIPTORS, KERNEL(close_range, plan->first_unused, ~0u, 0));
  /* Only the child knows its pid: sd_listen_fds(3) wants it in LISTEN_PID. */
  if (plan->listen_pid) decimal(launch->base + plan->listen_pid, KERNEL(getpid, 0));
  if (plan->master_pid) decimal(launch->base + plan->master_pid, KERNEL(getppid, 0));
  set_signals(launch);
  execute(launch);
}

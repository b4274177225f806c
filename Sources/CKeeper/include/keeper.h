/* The wire between the daemon and a keeper: the plan that tells a keeper what to start, and the
 * messages by which it reports. Both ends are built together and live on one machine, so the
 * layout is that of the C ABI. Only 64-bit machines are supported. */
#ifndef FDSUPERVISOR_KEEPER_H
#define FDSUPERVISOR_KEEPER_H

#include <stdint.h>

#define KEEPER_PLAN_MAGIC 0x4b45504cu /* "KEPL" */
#define KEEPER_PLAN_VERSION 2u

enum keeper_plan_flag {
  KEEPER_SET_USER = 1 << 0,      /* uid, gid and groups are to be set */
  KEEPER_SET_NICE = 1 << 1,      /* nice is to be set */
  KEEPER_SET_OOM = 1 << 2,       /* oom_score_adjust is to be set */
  KEEPER_NO_NEW_PRIVS = 1 << 3,  /* prctl(2) PR_SET_NO_NEW_PRIVS */
  KEEPER_INTERCEPT = 1 << 4,     /* bind(2) is told to the daemon, seccomp_unotify(2) */
  KEEPER_MUST_INTERCEPT = 1 << 5, /* and where it can't be, the launch fails; no_new_privs is set where that helps */
};

struct keeper_limit { /* one prlimit(2) */
  uint32_t resource;
  uint32_t reserved;
  uint64_t soft, hard;
};

/* The plan lies at the start of a memory file. Every "offset" counts from its first byte; 0 means
 * absent. A "list" is an array of 64-bit offsets of strings that ends with 0. */
struct keeper_plan {
  uint32_t magic, version;
  uint32_t size;             /* of the whole memory file, in bytes */
  uint32_t flags;            /* enum keeper_plan_flag */
  uint32_t arguments;        /* list: argv */
  uint32_t environment;      /* list: envp */
  uint32_t programs;         /* list: the paths to try, in this order */
  uint32_t directory;        /* string, or absent */
  uint32_t listen_pid;       /* where the digits of LISTEN_PID go (12 bytes are free there), or absent */
  uint32_t master_pid;       /* where the digits of EINHORN_MASTER_PID, the keeper's pid, go, likewise */
  uint32_t first_unused;     /* the first descriptor that the main process must not get */
  uint32_t cgroup;           /* the descriptor of the cgroup that the main process is created in, or 0: the keeper's */
  uint32_t umask;
  int32_t nice;              /* -20 … 19 */
  int32_t oom_score_adjust;  /* -1000 … 1000 */
  uint32_t uid, gid;
  uint32_t groups, groups_count;  /* offset of an array of uint32_t */
  uint32_t limits, limits_count;  /* offset of an array of struct keeper_limit */
  uint32_t stray_timeout_ms;      /* after the daemon's death: between SIGTERM and SIGKILL */
  uint64_t ambient_capabilities;  /* one bit a capability */
};

/* What the child was doing when it failed. The names are in LaunchStep.swift. */
enum keeper_step {
  KEEPER_STEP_NONE,
  KEEPER_STEP_PLAN,
  KEEPER_STEP_SUBREAPER,
  KEEPER_STEP_CLONE,
  KEEPER_STEP_SESSION,
  KEEPER_STEP_NICE,
  KEEPER_STEP_OOM,
  KEEPER_STEP_LIMIT,
  KEEPER_STEP_INTERCEPT,
  KEEPER_STEP_GROUPS,
  KEEPER_STEP_GROUP,
  KEEPER_STEP_USER,
  KEEPER_STEP_CAPABILITIES,
  KEEPER_STEP_NO_NEW_PRIVS,
  KEEPER_STEP_DIRECTORY,
  KEEPER_STEP_MASK,
  KEEPER_STEP_DESCRIPTORS,
  KEEPER_STEP_EXECUTE,
};

enum keeper_message_kind {
  KEEPER_STARTED = 1, /* the program runs: pid; its pidfd comes along (SCM_RIGHTS); error: why not in its cgroup */
  KEEPER_FAILED = 2,  /* nothing runs: step, error; the keeper exits */
  KEEPER_EXITED = 3,  /* the main process was reaped: code, status as waitid(2) gives them */
  KEEPER_INTERCEPTS = 4, /* before STARTED: the listening end of the filter comes along; or error, and no filter */
};

struct keeper_message {
  uint32_t kind; /* enum keeper_message_kind */
  int32_t pid;
  int32_t step;   /* enum keeper_step */
  int32_t error;  /* errno */
  int32_t code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
  int32_t status; /* exit status or signal number */
};

#endif

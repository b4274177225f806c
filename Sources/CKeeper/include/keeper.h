/* The wire between the daemon and a keeper: the plan that tells a keeper what to start, and the
 * messages by which it reports. Both ends are built together and live on one machine, so the
 * layout is that of the C ABI. Only 64-bit machines are supported. */
#ifndef FDSUPERVISOR_KEEPER_H
#define FDSUPERVISOR_KEEPER_H

#include <stdint.h>

#define KEEPER_PLAN_MAGIC 0x4b45504cu /* "KEPL" */
#define KEEPER_PLAN_VERSION 4u

enum keeper_plan_flag {
  KEEPER_SET_USER = 1 << 0,      /* uid, gid and groups are to be set */
  KEEPER_SET_NICE = 1 << 1,      /* nice is to be set */
  KEEPER_SET_OOM = 1 << 2,       /* oom_score_adjust is to be set */
  KEEPER_NO_NEW_PRIVS = 1 << 3,  /* prctl(2) PR_SET_NO_NEW_PRIVS */
  KEEPER_INTERCEPT = 1 << 4,     /* bind(2) is told to the daemon, seccomp_unotify(2) */
  KEEPER_MUST_INTERCEPT = 1 << 5, /* and where it cannot be, the launch fails; no_new_privs is set where that helps */
  KEEPER_SURVIVE = 1 << 6,       /* after the death of the daemon: hold the tree for the next one, not end it */
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
  /* Descriptors of the keeper alone, numbered in this order and none of them below first_unused; 0: absent. */
  uint32_t door;             /* where the next daemon connects: a listening socket, unix(7) */
  uint32_t notify;           /* the daemon's socket for sd_notify(3): kept, so that nothing sent there is lost */
  uint32_t output;           /* the reading end of the service's output, likewise */
  uint32_t listener;         /* those that the main process does not have among its own from 3 on: the first, */
  uint32_t listener_count;   /* and how many, numbered one after the other */
  uint32_t reserved;
  uint64_t generation;       /* these two only for struct keeper_hello */
  uint64_t fingerprint;      /* of the definition that was in force at the launch */
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
  KEEPER_EMPTY = 4,   /* nobody is left below it: its last word */
  KEEPER_HELLO = 5,   /* to who just connected: struct keeper_hello, with the pidfd of the main process */
  KEEPER_HOLDS = 6,   /* a descriptor that it holds comes along; code: enum keeper_held */
  KEEPER_GREETED = 7, /* that was all; from here on as to the daemon that launched it */
  KEEPER_INTERCEPTS = 8, /* before STARTED: the listening end of the filter comes along; or error, and no filter */
  /* From the daemon. */
  KEEPER_IS_READY = 32, /* the service is ready: to be told to the next daemon */
  KEEPER_END = 33,      /* sweep now */
};

enum keeper_held { KEEPER_LISTENER = 1, KEEPER_NOTIFY = 2, KEEPER_OUTPUT = 3, KEEPER_FILTER = 4 };

struct keeper_message {
  uint32_t kind; /* enum keeper_message_kind */
  int32_t pid;
  int32_t step;   /* enum keeper_step */
  int32_t error;  /* errno */
  int32_t code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
  int32_t status; /* exit status or signal number */
};

enum keeper_hello_flag {
  KEEPER_MAIN_EXITED = 1 << 0, /* code and status are known */
  KEEPER_WAS_READY = 1 << 1,
  KEEPER_ENDING = 1 << 2,      /* it is sweeping, and nothing stops that */
  KEEPER_HOLDING = 1 << 3,     /* launched with KEEPER_SURVIVE */
};

struct keeper_hello {
  struct keeper_message head; /* pid, code and status of the main process */
  uint32_t version;           /* KEEPER_PLAN_VERSION: nobody else's messages are understood */
  uint32_t flags;             /* enum keeper_hello_flag */
  uint64_t generation, fingerprint;
  char service[72];           /* its name, with a NUL */
};

#endif

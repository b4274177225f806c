/* The ways in which a process outlives its service. Each keeps the descriptors it inherited. */
#define _GNU_SOURCE
#include "misbehaving.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where a stray says that it is as it is meant to be. */
static int settled_end = -1;

static void settled(const char *role) {
  say_present(role);
  if (write(settled_end, "x", 1) != 1) fail("write");
  close(settled_end);
}

/* The grandchild of a child that is gone, in a session of its own: daemon(3) twice over. */
static void leave(void) {
  if (fork() > 0) _exit(0);
  setsid();
  if (fork() > 0) _exit(0);
}

static void traced(void) {
  if (fork() == 0) {
    say_present("traced");
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    rest();
  }
  ignore_everything();
  waitpid(-1, NULL, 0);
  settled("tracer");
}

static void disguised(void) {
  leave();
  settled("disguised");
  /* Same process, another program image, name and environment; "present" without a register says nothing. */
  char *words[] = {"[kworker/0:1]", "ignore", "name=kworker/0:1", "rest", NULL}, *nothing[] = {NULL};
  execve("/proc/self/exe", words, nothing);
  fail("execve");
}

static void namespaced(void) {
  if (unshare(CLONE_NEWPID)) return settled("unsupported");
  if (fork() > 0) {
    say_present("namespaced");
    return;
  }
  ignore_everything();
  if (fork() == 0) {
    setsid();
    ignore_everything();
    settled("namespaced");
    rest();
  }
  say_present("namespaced");
}

/* A new process at every moment, each gone before it can be looked at. */
static void breeding(void) {
  struct timespec now, begin;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  setsid();
  settled("breeding");
  do {
    if (fork() > 0) _exit(0);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - begin.tv_sec < LIFE / 2);
  _exit(0);
}

static void *survive(void *leader) {
  if (unshare(CLONE_FILES)) fail("unshare");
  pthread_join(*(pthread_t *)leader, NULL);
  settled("leaderless");
  rest();
}

static void leaderless(void) {
  static pthread_t leader;
  pthread_t thread;
  leader = pthread_self();
  if (pthread_create(&thread, NULL, survive, &leader)) fail("pthread_create");
  pthread_exit(NULL);
}

static void behave(const char *kind) {
  if (!strcmp(kind, "leaderless")) leaderless();
  if (!strcmp(kind, "breeding")) breeding();
  if (!strcmp(kind, "disguised")) disguised();
  if (!strcmp(kind, "traced")) return traced();
  if (!strcmp(kind, "namespaced")) return namespaced();
  if (!strcmp(kind, "session")) setsid();
  if (!strcmp(kind, "orphan")) leave();
  if (!strcmp(kind, "stubborn")) ignore_everything();
  if (!strcmp(kind, "liar")) {
    leave();
    prctl(PR_SET_NAME, ") Z 1 1 1 (\n");
  }
  if (!strcmp(kind, "otheruser")) {
    setsid();
    if (setgid(65534) || setuid(65534)) return settled("unsupported");
    prctl(PR_SET_DUMPABLE, 0);
  }
  settled(kind);
  if (!strcmp(kind, "stopped")) raise(SIGSTOP);
  if (!strcmp(kind, "serving")) serve(3, 1);
  if (!strcmp(kind, "sleep")) {
    execlp("sleep", "sleep", "50", (char *)NULL);
    fail("sleep");
  }
}

void start_stray(const char *kind) {
  int ends[2];
  char byte;
  if (pipe2(ends, O_CLOEXEC)) fail("pipe2");
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    close(ends[0]);
    settled_end = ends[1];
    alarm(LIFE);
    behave(kind);
    rest();
  }
  close(ends[1]);
  while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {}
  close(ends[0]);
}

/* How a process says that it is there, and what it finds when it begins. */
#define _GNU_SOURCE
#include "misbehaving.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

bool is_first_generation = true;
static char register_path[4096];

/* State and start time of a process or thread, proc(5); false when it is gone. */
static bool read_stat(const char *path, char *state, long long *start) {
  char text[1024], *field;
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  field = strrchr(text, ')');
  if (field == NULL) return false;
  *state = field[2];
  for (int number = 2; number < 22; number++) {
    field = strchr(field + 1, ' ');
    if (field == NULL) return false;
  }
  *start = atoll(field + 1);
  return true;
}

static int outer_pid(void) {
  char text[16] = "";
  ssize_t length = readlink("/proc/self", text, sizeof text - 1);
  return length > 0 ? atoi(text) : getpid();
}

static void append(const char *line) {
  int number = open(register_path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (number < 0) return;
  if (write(number, line, strlen(line)) < 0) fail(register_path);
  close(number);
}

void say_present(const char *role) {
  char state, line[128];
  long long start = 0;
  alarm(LIFE);
  if (register_path[0] == 0) return;
  read_stat("/proc/self/stat", &state, &start);
  snprintf(line, sizeof line, "%s %d %lld\n", role, outer_pid(), start);
  append(line);
}

static bool lives(int pid, long long start) {
  char path[64], state;
  long long now;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  return read_stat(path, &state, &now) && now == start && state != 'Z' && state != 'X';
}

static void look_for_survivors(void) {
  char role[32], line[128];
  int pid;
  long long start;
  FILE *file = fopen(register_path, "re");
  if (file == NULL) fail(register_path);
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "%31s %d %lld", role, &pid, &start) == 3) {
      char found[128];
      if (!strcmp(role, "main")) is_first_generation = false;
      if (pid == outer_pid() || !lives(pid, start)) continue;
      snprintf(found, sizeof found, "overlap-%s %d %lld\n", role, pid, start);
      append(found);
    }
  fclose(file);
}

/* flock(2): a lock belongs to the open file description, and goes when the last process that inherited it has gone. */
static void take_lock(void) {
  char path[sizeof register_path + 8];
  snprintf(path, sizeof path, "%s.lock", register_path);
  int number = open(path, O_RDWR);
  if (number < 0) fail(path);
  if (flock(number, LOCK_EX | LOCK_NB) == 0) return;
  append("overlap-lock 0 0\n");
}

void use_register(const char *path) { snprintf(register_path, sizeof register_path, "%s", path); }

void begin_register(const char *path) {
  use_register(path);
  look_for_survivors();
  take_lock();
  say_present("main");
}

static void write_descriptors(FILE *file) {
  for (int number = 0; number < 256; number++) {
    char path[64], target[256];
    int flags = fcntl(number, F_GETFD);
    if (number == fileno(file) || flags < 0) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    fprintf(file, "fd %d %s\n", number, target);
    if (fcntl(number, F_GETFL) & O_NONBLOCK) fprintf(file, "nonblocking %d\n", number);
  }
}

static void write_status(FILE *file) {
  char line[256];
  FILE *status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status))
    for (const char *const *name = (const char *[]){"Sig", "Shd", "NoNewPrivs", "CapAmb", "CapEff", NULL}; *name; name++)
      if (!strncmp(line, *name, strlen(*name))) fputs(line, file);
  if (status) fclose(status);
  FILE *score = fopen("/proc/self/oom_score_adj", "re");
  if (score && fgets(line, sizeof line, score)) fprintf(file, "oom %s", line);
  if (score) fclose(score);
}

void write_down_what_was_given(const char *path) {
  extern char **environ;
  char temporary[4096], folder[4096];
  gid_t groups[64];
  struct rlimit files;
  snprintf(temporary, sizeof temporary, "%s.new", path);
  FILE *file = fopen(temporary, "we");
  if (file == NULL) fail(temporary);
  write_descriptors(file);
  uid_t user[3];
  gid_t group[3];
  mode_t mask = umask(0);
  umask(mask);
  getresuid(&user[0], &user[1], &user[2]);
  getresgid(&group[0], &group[1], &group[2]);
  getrlimit(RLIMIT_NOFILE, &files);
  fprintf(file, "pid %d\nparent %d\ngroup %d\nsession %d\n", getpid(), getppid(), getpgrp(), getsid(0));
  fprintf(file, "uids %d %d %d\ngids %d %d %d\n", user[0], user[1], user[2], group[0], group[1], group[2]);
  fprintf(file, "groups");
  int count = getgroups(64, groups);
  for (int index = 0; index < count; index++) fprintf(file, " %d", groups[index]);
  fprintf(file, "\numask %03o\nnice %d\n", mask, getpriority(PRIO_PROCESS, 0));
  fprintf(file, "nofile %llu %llu\n", (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
  fprintf(file, "directory %s\n", getcwd(folder, sizeof folder));
  write_status(file);
  for (char **entry = environ; *entry; entry++) fprintf(file, "env %s\n", *entry);
  fclose(file);
  if (rename(temporary, path)) fail(path);
}

static volatile sig_atomic_t asked_to_end;
static void on_alarm(int number) { (void)number; }

/* Somebody else may have taken the connection between ppoll and accept, which then waits: SIGALRM ends that wait, again
 * and again, because the first one may come just before it. */
static void on_term(int number) {
  struct sigaction action = {.sa_handler = on_alarm};
  struct itimerval often = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}};
  asked_to_end = number;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
}

/* Whoever was accepted is answered, also when SIGTERM comes: it is let in only while nobody is. */
void serve(int first, int count) {
  sigset_t term, before;
  struct pollfd sockets[16];
  char answer[32];
  struct sigaction action = {.sa_handler = on_term}, ignored;
  int length = snprintf(answer, sizeof answer, "%d\n", outer_pid());
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &before);
  sigaction(SIGTERM, NULL, &ignored);
  if (ignored.sa_handler != SIG_IGN) sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  for (int index = 0; index < count; index++)
    sockets[index] = (struct pollfd){.fd = first + index, .events = POLLIN};
  while (!asked_to_end) {
    if (ppoll(sockets, (nfds_t)count, NULL, &before) <= 0) continue;
    for (int index = 0; index < count; index++) {
      if (!(sockets[index].revents & POLLIN)) continue;
      int type = 0;
      socklen_t size = sizeof type;
      getsockopt(sockets[index].fd, SOL_SOCKET, SO_TYPE, &type, &size);
      if (type == SOCK_DGRAM) {
        struct sockaddr_storage sender;
        socklen_t room = sizeof sender;
        char byte;
        if (recvfrom(sockets[index].fd, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&sender, &room) >= 0)
          sendto(sockets[index].fd, answer, (size_t)length, 0, (struct sockaddr *)&sender, room);
        continue;
      }
      sigprocmask(SIG_SETMASK, &before, NULL);
      int connection = accept4(sockets[index].fd, NULL, NULL, SOCK_CLOEXEC);
      sigprocmask(SIG_BLOCK, &term, NULL);
      if (connection < 0) continue;
      if (write(connection, answer, (size_t)length) < 0) fail("write");
      close(connection);
    }
  }
}

void ignore_everything(void) {
  for (int number = 1; number < NSIG; number++)
    if (number != SIGALRM && number != SIGSEGV && number != SIGCHLD) signal(number, SIG_IGN);
}

void rest(void) {
  for (;;) pause();
}

/* The modes of the terminal: see terminal.h. */
#define _GNU_SOURCE
#include "terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios remembered;
static volatile int remembered_terminal = -1;

bool cl_terminal_is_ours(int terminal) { return tcgetpgrp(terminal) == getpgrp(); }

void cl_terminal_restore(void) {
  int terminal = remembered_terminal;
  /* From the background it would change the modes under somebody else's hands; SIGTTOU is ignored. */
  if (terminal >= 0 && cl_terminal_is_ours(terminal)) tcsetattr(terminal, TCSADRAIN, &remembered);
}

/* Of a bug: the modes first, then what would have happened anyway. */
static void end_by(int number) {
  cl_terminal_restore();
  signal(number, SIG_DFL);
  raise(number);
}

static void guard(void) {
  static const int bugs[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
  static bool is_done = false;
  if (is_done) return;
  is_done = true;
  atexit(cl_terminal_restore);
  for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
    struct sigaction action = {.sa_handler = end_by, .sa_flags = SA_NODEFER}, before;
    /* A backtracer that somebody set up goes on to do its work. */
    if (sigaction(bugs[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) sigaction(bugs[i], &action, NULL);
  }
}

int cl_terminal_remember(int terminal) {
  if (tcgetattr(terminal, &remembered) == -1) return -1;
  remembered_terminal = terminal;
  guard();
  return 0;
}

void cl_terminal_forget(void) { remembered_terminal = -1; }

int cl_terminal_single_keys(int terminal) {
  struct termios modes;
  if (tcgetattr(terminal, &modes) == -1) return -1;
  modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  modes.c_lflag |= ISIG;
  modes.c_cc[VMIN] = 1;
  modes.c_cc[VTIME] = 0;
  return tcsetattr(terminal, TCSADRAIN, &modes);
}

int cl_stop_self(void) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  signal(SIGTSTP, SIG_DFL);
  /* It is blocked, and read from a signalfd: pending here, it stops the process when it is let through. */
  if (raise(SIGTSTP) != 0) return -1;
  if (sigprocmask(SIG_UNBLOCK, &stop, NULL) == -1) return -1;
  return sigprocmask(SIG_BLOCK, &stop, NULL);
}

int cl_open_pseudo_terminal(int *master, char *name, size_t size) {
  *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*master < 0) return -1;
  if (grantpt(*master) == -1 || unlockpt(*master) == -1 || ptsname_r(*master, name, size) != 0) {
    close(*master);
    return -1;
  }
  return 0;
}

/* Accepts for programs that serve one connection on their standard input and output, as inetd(8) does with "nowait".
 *
 *   fdsupervisor-accept LISTENERS LIMIT PROGRAM [ARGUMENT...]
 *
 * Descriptors 3 … 3+LISTENERS-1 are listeners. At most LIMIT programs run at a time; further connections wait in the
 * backlog. SIGTERM: accepts no more, and ends when the last program has ended.
 *
 * It is the main process of a generation: what it starts are descendants like any others. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST = 3, MOST_LISTENERS = 64, CANNOT_EXECUTE = 127, PAUSE_MS = 100 };

static volatile sig_atomic_t is_ending;

static void note(int signal) {
  if (signal == SIGTERM) is_ending = 1;
}

static void complain(const char *what, const char *about) {
  fprintf(stderr, "fdsupervisor-accept: cannot %s %s: %s\n", what, about, strerror(errno));
}

/* Who connected, as CGI has it: REMOTE_ADDR and REMOTE_PORT. A Unix socket's peer has no address. */
static void tell_peer(const struct sockaddr_storage *peer) {
  char text[INET6_ADDRSTRLEN] = "", port[16] = "";
  unsetenv("REMOTE_ADDR");
  unsetenv("REMOTE_PORT");
  if (peer->ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)peer;
    inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
    snprintf(port, sizeof port, "%u", ntohs(four->sin_port));
  } else if (peer->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
      inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, text, sizeof text);
    else
      inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    snprintf(port, sizeof port, "%u", ntohs(six->sin6_port));
  } else {
    return;
  }
  setenv("REMOTE_ADDR", text, 1);
  setenv("REMOTE_PORT", port, 1);
}

/* In the child: the connection becomes standard input and output, and nothing else is left of ours. */
static _Noreturn void serve(int connection, const struct sockaddr_storage *peer, char **command) {
  sigset_t none;
  signal(SIGTERM, SIG_DFL);
  signal(SIGCHLD, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  tell_peer(peer);
  if (dup2(connection, 0) >= 0 && dup2(connection, 1) >= 0) {
    close_range(FIRST, ~0u, 0);
    execvp(command[0], command);
  }
  complain("execute", command[0]);
  _exit(CANNOT_EXECUTE);
}

/* Returns how many programs it started: 1 or 0. A socket that no longer listens is the end: the next launch gets one
 * that does. */
static int accept_one(int listener, char **command) {
  struct sockaddr_storage peer = {0};
  socklen_t length = sizeof peer;
  int connection = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
  if (connection < 0) {
    /* EAGAIN: somebody else was quicker; errors of the connection itself are no concern of ours, accept(2). */
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      complain("accept", "a connection");
      poll(NULL, 0, PAUSE_MS);
    } else if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK) {
      complain("accept on", "a socket that was shut down");
      exit(1);
    }
    return 0;
  }
  pid_t child = fork();
  if (child == 0) serve(connection, &peer, command);
  if (child < 0) {
    complain("start", command[0]);
    poll(NULL, 0, PAUSE_MS);
  }
  close(connection);
  return child > 0;
}

static int reap(void) {
  int gone = 0;
  while (waitpid(-1, NULL, WNOHANG) > 0) gone++;
  return gone;
}

/* What cannot be executed is told at the start, not at the first connection. */
static bool can_execute(const char *program) {
  char path[4096];
  const char *folders = getenv("PATH");
  if (strchr(program, '/')) return access(program, X_OK) == 0;
  for (const char *at = folders ? folders : "/usr/bin:/bin"; *at;) {
    size_t length = strcspn(at, ":");
    if (snprintf(path, sizeof path, "%.*s/%s", (int)length, length ? at : ".", program) < (int)sizeof path &&
        access(path, X_OK) == 0)
      return true;
    at += length + (at[length] == ':');
  }
  errno = ENOENT;
  return false;
}

static void prepare(struct pollfd *listeners, int count, sigset_t *while_waiting) {
  struct sigaction action = {.sa_handler = note};
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGTERM);
  sigaddset(&ours, SIGCHLD);
  /* They come in while it waits, and at no other time: none is missed. */
  sigprocmask(SIG_BLOCK, &ours, while_waiting);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGCHLD, &action, NULL);
  for (int i = 0; i < count; i++) {
    listeners[i] = (struct pollfd){.fd = FIRST + i, .events = POLLIN};
    fcntl(FIRST + i, F_SETFD, FD_CLOEXEC);
    /* A connection that is gone before it is accepted must not make us wait, accept(2). */
    fcntl(FIRST + i, F_SETFL, fcntl(FIRST + i, F_GETFL) | O_NONBLOCK);
  }
}

int main(int argc, char **argv) {
  int count = argc > 3 ? atoi(argv[1]) : 0, limit = argc > 3 ? atoi(argv[2]) : 0, running = 0;
  struct pollfd listeners[MOST_LISTENERS];
  sigset_t while_waiting;
  bool said_limit = false;
  if (count < 1 || count > MOST_LISTENERS || limit < 1) {
    fprintf(stderr, "usage: fdsupervisor-accept LISTENERS LIMIT PROGRAM [ARGUMENT...]\n");
    return 64;
  }
  if (!can_execute(argv[3])) {
    complain("execute", argv[3]);
    return CANNOT_EXECUTE;
  }
  prepare(listeners, count, &while_waiting);
  while (!is_ending || running > 0) {
    bool accepts = !is_ending && running < limit;
    if (!is_ending && !accepts && !said_limit) {
      fprintf(stderr, "fdsupervisor-accept: %d connections are served (max_connections); others wait\n", running);
      said_limit = true;
    }
    int ready = ppoll(listeners, accepts ? (nfds_t)count : 0, NULL, &while_waiting);
    running -= reap();
    if (ready <= 0) continue;
    for (int i = 0; i < count && running < limit; i++)
      if (listeners[i].revents) running += accept_one(listeners[i].fd, argv + 3);
  }
  return 0;
}

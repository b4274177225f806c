/* A service that does what its arguments say, word by word: the integration tests' real process.
 * For tests only; it is not installed. */
#define _GNU_SOURCE
#include "misbehaving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST = 3 };

void fail(const char *what) {
  fprintf(stderr, "misbehaving: %s: %s\n", what, strerror(errno));
  exit(99);
}

static socklen_t unix_address(struct sockaddr_un *address, const char *path) {
  size_t length = strlen(path);
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (length >= sizeof address->sun_path) fail("a path is too long");
  memcpy(address->sun_path, path, length);
  if (path[0] == '@') address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* bind=IP:PORT: what a service does that owns its port; the listener becomes descriptor 3. */
static void bind_myself(const char *text, int option) {
  char host[64];
  const char *colon = strrchr(text, ':');
  struct sockaddr_in address = {.sin_family = AF_INET};
  int one = 1, number = socket(AF_INET, SOCK_STREAM, 0);
  if (colon == NULL || number < 0) fail(text);
  snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
  inet_pton(AF_INET, host, &address.sin_addr);
  address.sin_port = htons((uint16_t)atoi(colon + 1));
  if (setsockopt(number, SOL_SOCKET, option, &one, sizeof one)) fail("setsockopt");
  if (bind(number, (struct sockaddr *)&address, sizeof address) || listen(number, 64)) {
    fprintf(stderr, "misbehaving: cannot bind %s: %s\n", text, strerror(errno));
    exit(98);
  }
  if (number != FIRST) {
    if (dup2(number, FIRST) < 0) fail("dup2");
    close(number);
  }
}

static void notify(const char *message) {
  struct sockaddr_un address;
  const char *path = getenv("NOTIFY_SOCKET");
  int number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (path == NULL) fail("no NOTIFY_SOCKET");
  socklen_t length = unix_address(&address, path);
  if (sendto(number, message, strlen(message), 0, (struct sockaddr *)&address, length) < 0) fail("sendto");
  close(number);
}

/* send=PATH: hands descriptor 3 to whoever listens there, cmsg(3) SCM_RIGHTS. */
static void hand_over(const char *path) {
  struct sockaddr_un address;
  int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), passed = FIRST;
  socklen_t length = unix_address(&address, path);
  if (connect(number, (struct sockaddr *)&address, length)) fail(path);
  char byte = 'x';
  union {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control = {0};
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof passed);
  memcpy(CMSG_DATA(header), &passed, sizeof passed);
  if (sendmsg(number, &message, 0) != 1) fail("sendmsg");
  close(number);
}

/* take=PATH: the other side, a stranger; it keeps what it gets. */
static void take_over(const char *path) {
  struct sockaddr_un address;
  int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t length = unix_address(&address, path);
  if (bind(number, (struct sockaddr *)&address, length) || listen(number, 1)) fail(path);
  int connection = accept(number, NULL, NULL);
  char byte;
  union {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control;
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  if (connection < 0 || recvmsg(connection, &message, 0) != 1) fail("recvmsg");
  close(connection);
  say_present("took");
}

static void chatter(long bytes) {
  char line[1024];
  memset(line, 'x', sizeof line);
  line[sizeof line - 1] = '\n';
  for (long written = 0; written < bytes; written += (long)sizeof line)
    if (write(STDOUT_FILENO, line, sizeof line) < 0) fail("write");
}

/* await=FIFO: until somebody opens it for writing. */
static void await(const char *path) {
  int number = open(path, O_RDONLY | O_CLOEXEC);
  if (number < 0) fail(path);
  close(number);
}

/* For the program that follows (exec), everything that a careless parent leaves behind: signal(7), umask(2). */
static void be_hostile(void) {
  sigset_t all;
  for (int number = 1; number < NSIG; number++)
    if (number != SIGCHLD && number != SIGKILL && number != SIGSTOP) signal(number, SIG_IGN);
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  umask(0);
  for (int copy = 0; copy < 20; copy++)
    if (open("/dev/null", O_RDWR) < 0) fail("open");
}

/* Kills the process whose pidfd is descriptor 3 when standard input ends, because the test is gone, or when LEASH is
 * over. */
static void leash(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  alarm(0);
  while (poll(&input, 1, LEASH * 1000) < 0 && errno == EINTR) {}
  syscall(SYS_pidfd_send_signal, FIRST, SIGKILL, NULL, 0);
  exit(0);
}

static void serve_what_was_passed(bool bound) {
  const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
  if (bound) return serve(FIRST, 1);
  if (count == NULL || pid == NULL || atoi(pid) != getpid()) {
    errno = EINVAL;
    fail("no sockets were passed");
  }
  serve(FIRST, atoi(count));
}

static bool simple(const char *word) {
  if (!strcmp(word, "ignore")) ignore_everything();
  else if (!strcmp(word, "hostile")) be_hostile();
  else if (!strcmp(word, "shutdown")) shutdown(FIRST, SHUT_RDWR);
  else if (!strcmp(word, "shortqueue")) listen(FIRST, 1);
  else if (!strcmp(word, "nonblock")) fcntl(FIRST, F_SETFL, fcntl(FIRST, F_GETFL) | O_NONBLOCK);
  else if (!strcmp(word, "close")) close(FIRST);
  else if (!strcmp(word, "crash")) raise(SIGSEGV);
  else if (!strcmp(word, "patient")) alarm(0); /* in a box, with which it dies */
  else if (!strcmp(word, "leash")) leash();
  else if (!strcmp(word, "rest")) rest();
  else return false;
  return true;
}

static bool valued(const char *name, const char *value, bool *bound) {
  if (!strcmp(name, "register")) begin_register(value);
  else if (!strcmp(name, "tell")) use_register(value);
  else if (!strcmp(name, "present")) say_present(value);
  else if (!strcmp(name, "given")) write_down_what_was_given(value);
  else if (!strcmp(name, "stray")) start_stray(value);
  else if (!strcmp(name, "notify")) notify(value);
  else if (!strcmp(name, "print")) dprintf(STDOUT_FILENO, "%s\n", value);
  else if (!strcmp(name, "chatter")) chatter(atol(value));
  else if (!strcmp(name, "await")) await(value);
  else if (!strcmp(name, "unlink")) unlink(value);
  else if (!strcmp(name, "send")) hand_over(value);
  else if (!strcmp(name, "take")) take_over(value);
  else if (!strcmp(name, "name")) prctl(PR_SET_NAME, value);
  else if (!strcmp(name, "exit")) exit(atoi(value));
  else if (!strcmp(name, "bind")) bind_myself(value, SO_REUSEADDR), *bound = true;
  else if (!strcmp(name, "share")) bind_myself(value, SO_REUSEPORT), *bound = true;
  else return false;
  return true;
}

int main(int count, char **words) {
  bool bound = false;
  alarm(LIFE);
  for (int index = 1; index < count; index++) {
    char name[16];
    const char *equals = strchr(words[index], '=');
    if (!strcmp(words[index], "serve")) {
      serve_what_was_passed(bound);
      return 0;
    }
    if (!strcmp(words[index], "exec") && index + 1 < count) {
      alarm(0);
      execv(words[index + 1], words + index + 1);
      fail(words[index + 1]);
    }
    /* first WORD: only the first generation does it. */
    if (!strcmp(words[index], "first")) {
      if (!is_first_generation) index++;
      continue;
    }
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - words[index]) : 0, words[index]);
    if (equals ? valued(name, equals + 1, &bound) : simple(words[index])) continue;
    errno = EINVAL;
    fail(words[index]);
  }
  return 0;
}

/* Sends the call of `[--control PATH] restart|start|stop [--json] NAME…` from a constructor. Whatever is not
 * exactly that, or does not work at once, is left to the tool itself, which then says what is wrong. */
#define _GNU_SOURCE
#include "early_call.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { LONGEST_MESSAGE = 4096, LONGEST_NAME = 255, CONNECT_TIMEOUT_S = 10, DEEPEST = 256 };

static char message[LONGEST_MESSAGE];
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct early_call made = {.socket = -1};

/* Names that JSON needs no escapes for; all others go the long way. */
static bool is_plain(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:*?-";
  size_t length = strlen(name);
  return length && length <= LONGEST_NAME && name[0] != '-' && strspn(name, allowed) == length;
}

static const char *method_of(const char *verb) {
  if (!strcmp(verb, "restart")) return "Restart";
  if (!strcmp(verb, "start")) return "Start";
  return strcmp(verb, "stop") ? NULL : "Stop";
}

static bool append(size_t *at, const char *text) {
  size_t length = strlen(text);
  if (*at + length + 1 > sizeof message) return false;
  memcpy(message + *at, text, length + 1);
  *at += length;
  return true;
}

/* The message of these arguments, or 0; and where --control says that it goes. */
static size_t compose(int count, char **arguments, const char **control) {
  const char *method = NULL;
  size_t at = 0, names = 0;
  for (int i = 1; i < count; i++) {
    if (!strcmp(arguments[i], "--control") && i + 1 < count && arguments[i + 1][0] != '-') {
      *control = arguments[++i];
    } else if (!strcmp(arguments[i], "--json")) {
      continue;
    } else if (!method) {
      method = method_of(arguments[i]);
      if (!method || !append(&at, "{\"method\":\"org.fdsupervisord.Control.") || !append(&at, method) ||
          !append(&at, "\",\"parameters\":{\"names\":["))
        return 0;
    } else {
      if (!is_plain(arguments[i]) || !append(&at, names++ ? ",\"" : "\"") || !append(&at, arguments[i]) ||
          !append(&at, "\""))
        return 0;
    }
  }
  return names && append(&at, "]}}") ? at + 1 : 0;
}

static bool place(const char *folder, const char *rest) {
  if (!*rest || strlen(folder) + strlen(rest) >= sizeof address.sun_path) return false;
  stpcpy(stpcpy(address.sun_path, folder), rest);
  return true;
}

/* What became of an attempt to connect. ABSENT: nobody is there, the next place may be tried (connect(2) of a Unix
 * socket may be repeated then). FAILED: the tool has to say why. */
enum outcome { CONNECTED, ABSENT, FAILED };

static enum outcome reach(int fd) {
  if (!connect(fd, (struct sockaddr *)&address, sizeof address)) return CONNECTED;
  return errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED ? ABSENT : FAILED;
}

/* As RuntimeFolder.swift has it; NULL when it must not be used. */
static const char *runtime_folder(char *buffer, size_t size) {
  uid_t user = geteuid();
  if (user == 0) return "/run/fdsupervisord";
  struct stat status;
  const char *given = getenv("XDG_RUNTIME_DIR");
  if (given && *given == '/' && !stat(given, &status) && S_ISDIR(status.st_mode) && status.st_uid == user) {
    int length = snprintf(buffer, size, "%s/fdsupervisord", given);
    return length > 0 && (size_t)length < size ? buffer : NULL;
  }
  snprintf(buffer, size, "/tmp/fdsupervisord-%u", (unsigned)user);
  if (lstat(buffer, &status)) return buffer;
  return S_ISDIR(status.st_mode) && status.st_uid == user && !(status.st_mode & 077) ? buffer : NULL;
}

/* The daemon of this directory, or the nearest one above, as ControlPath+Directory.swift has it. */
static enum outcome reach_upwards(int fd) {
  char own[sizeof address.sun_path], folder[sizeof address.sun_path + 8], directory[3 * DEEPEST + 4] = ".";
  const char *runtime = runtime_folder(own, sizeof own);
  if (!runtime) return ABSENT;
  snprintf(folder, sizeof folder, "%s/run", runtime);
  if (access(folder, F_OK)) return ABSENT;
  struct stat below = {0}, status;
  for (int level = 0; level < DEEPEST && !stat(directory, &status); level++) {
    /* The root is its own parent. */
    if (level && status.st_dev == below.st_dev && status.st_ino == below.st_ino) break;
    char name[48];
    snprintf(name, sizeof name, "/%jx-%jx.sock", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    enum outcome outcome = place(folder, name) ? reach(fd) : ABSENT;
    if (outcome != ABSENT) return outcome;
    below = status;
    strcpy(directory + (level ? 3 * level - 1 : 0), level ? "/.." : "..");
  }
  return ABSENT;
}

/* As ControlPath.swift has it. */
static enum outcome reach_daemon(int fd, const char *control) {
  if (control) return place("", control) ? reach(fd) : FAILED;
  const char *given = getenv("FDSUPERVISORD_CONTROL");
  if (given && *given) return place("", given) ? reach(fd) : FAILED;
  enum outcome outcome = reach_upwards(fd);
  if (outcome != ABSENT) return outcome;
  if (geteuid() == 0) return place("", "/run/fdsupervisord/control.sock") ? reach(fd) : FAILED;
  const char *folder = getenv("XDG_RUNTIME_DIR");
  return folder && *folder && place(folder, "/fdsupervisord/control.sock") ? reach(fd) : FAILED;
}

__attribute__((constructor(101))) static void call_early(int count, char **arguments) {
  const char *control = NULL;
  /* A person at a terminal sees progress, which has to be asked for. */
  size_t length = isatty(STDERR_FILENO) ? 0 : compose(count, arguments, &control);
  if (!length) return;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct timeval limit = {CONNECT_TIMEOUT_S, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (reach_daemon(fd, control) != CONNECTED || send(fd, message, length, MSG_NOSIGNAL) != (ssize_t)length) {
    close(fd);
    return;
  }
  made = (struct early_call){fd, address.sun_path, message, length};
}

struct early_call early_call_take(void) {
  struct early_call taken = made;
  made.socket = -1;
  return taken;
}

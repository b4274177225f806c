/* Sends the call of `[--control PATH] restart|start|stop [--json] NAME…` from a constructor. Whatever is not
 * exactly that, or does not work at once, is left to the tool itself, which then says what is wrong. */
#define _GNU_SOURCE
#include "early_call.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { LONGEST_MESSAGE = 4096, LONGEST_NAME = 255, CONNECT_TIMEOUT_S = 10 };

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

/* As ControlPath.swift has it. */
static bool locate(const char *control) {
  const char *folder = "";
  if (!control) control = getenv("FDSUPERVISORD_CONTROL");
  if (!control || !*control) {
    control = "/run/fdsupervisord/control.sock";
    if (geteuid() != 0) {
      folder = getenv("XDG_RUNTIME_DIR");
      control = "/fdsupervisord/control.sock";
      if (!folder || !*folder) return false;
    }
  }
  if (!*control || strlen(folder) + strlen(control) >= sizeof address.sun_path) return false;
  stpcpy(stpcpy(address.sun_path, folder), control);
  return true;
}

__attribute__((constructor(101))) static void call_early(int count, char **arguments) {
  const char *control = NULL;
  /* A person at a terminal sees progress, which has to be asked for. */
  size_t length = isatty(STDERR_FILENO) ? 0 : compose(count, arguments, &control);
  if (!length || !locate(control)) return;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct timeval limit = {CONNECT_TIMEOUT_S, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) ||
      send(fd, message, length, MSG_NOSIGNAL) != (ssize_t)length) {
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

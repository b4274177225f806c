/* What Swift can not call of sockets, or finds no name for: see sockets.h. */
#define _GNU_SOURCE
#include "sockets.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int cl_open_path_entry(const char *path) { return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC); }

int cl_change_owner(int entry, uid_t user, gid_t group) { return fchownat(entry, "", user, group, AT_EMPTY_PATH); }

int cl_change_mode(int entry, mode_t mode) {
  /* fchmod(2) refuses an O_PATH descriptor; its link in /proc leads to the inode itself (open(2), O_PATH). */
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", entry);
  return chmod(path, mode);
}

int cl_is_shut_down(int socket) {
  struct pollfd one = {.fd = socket, .events = POLLRDHUP};
  if (poll(&one, 1, 0) < 0) return -1;
  return (one.revents & POLLRDHUP) != 0;
}

int cl_filter_length(int socket) {
  socklen_t blocks = 0;
  if (getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, NULL, &blocks) < 0) return -1;
  return (int)blocks;
}

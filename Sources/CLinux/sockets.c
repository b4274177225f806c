/* What Swift can not call of sockets, or finds no name for: see sockets.h. */
#define _GNU_SOURCE
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

int cl_connect_datagram(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, length + 1);
  /* An abstract name has its length, and no final zero. */
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '@');
  if (path[0] == '@') address.sun_path[0] = 0;
  int number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (number < 0) return -1;
  if (connect(number, (struct sockaddr *)&address, size) == 0) return number;
  int code = errno;
  close(number);
  errno = code;
  return -1;
}

long cl_send(int socket, const void *bytes, size_t length, int descriptor) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control.room;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The calls behind control_groups.h. */
#define _GNU_SOURCE
#include "control_groups.h"

#include <dirent.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/xattr.h>

long cl_get_attribute(const char *path, const char *name, void *value, size_t size) {
  return getxattr(path, name, value, size);
}

int cl_set_attribute(const char *path, const char *name, const void *value, size_t size) {
  return setxattr(path, name, value, size, 0);
}

int cl_lock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

int cl_await_change(int fd, int timeout_ms) {
  struct pollfd question = {.fd = fd, .events = POLLPRI};
  return poll(&question, 1, timeout_ms) > 0;
}

int cl_each_folder(const char *path, void (*found)(const char *name, void *context), void *context) {
  DIR *folder = opendir(path);
  if (!folder) return -1;
  for (struct dirent *entry; (entry = readdir(folder));) {
    const char *name = entry->d_name;
    int is_self_or_parent = name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
    if (entry->d_type == DT_DIR && !is_self_or_parent) found(name, context);
  }
  closedir(folder);
  return 0;
}

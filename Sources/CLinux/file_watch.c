/* inotify(7), and the walk over folders that it needs: what is watched and why is FolderTree's. */
#define _GNU_SOURCE
#include "file_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

int cl_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int cl_watch_folder(int inotify, const char *path, bool follows_link) {
  /* Not IN_MODIFY: a file that is being written is not complete. Not IN_ATTRIB: no content changes with it. */
  uint32_t mask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR |
                  IN_EXCL_UNLINK;
  return inotify_add_watch(inotify, path, follows_link ? mask : mask | IN_DONT_FOLLOW);
}

int cl_unwatch(int inotify, int watch) { return inotify_rm_watch(inotify, watch); }

static int kind_of(uint32_t mask) {
  if (mask & IN_Q_OVERFLOW) return CL_EVENTS_LOST;
  /* It follows the end of the folder, an unmount, and cl_unwatch(). */
  if (mask & IN_IGNORED) return CL_WATCH_ENDED;
  if (mask & IN_MOVE_SELF) return CL_WATCHED_MOVED;
  if (mask & IN_ISDIR) {
    if (mask & (IN_CREATE | IN_MOVED_TO)) return CL_FOLDER_CAME;
    /* One that was removed was empty, and its own watch tells of its end. */
    return mask & IN_MOVED_FROM ? CL_FOLDER_LEFT : -1;
  }
  if (mask & IN_CREATE) return CL_FILE_CREATED;
  if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) return CL_FILE_WRITTEN;
  return mask & (IN_DELETE | IN_MOVED_FROM) ? CL_FILE_GONE : -1;
}

size_t cl_next_event(const void *buffer, size_t size, int *watch, int *kind, const char **name, size_t *length) {
  struct inotify_event event;
  if (size < sizeof event) return 0;
  memcpy(&event, buffer, sizeof event);
  if (size - sizeof event < event.len) return 0;
  *watch = event.wd;
  *kind = kind_of(event.mask);
  *name = (const char *)buffer + sizeof event;
  *length = event.len > 0 ? strnlen(*name, event.len) : 0;
  return sizeof event + event.len;
}

static bool is_folder(DIR *folder, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  struct stat status;
  return fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

int cl_visit_folder(const char *path, bool only_folders, void *context,
                    void (*visit)(void *context, const char *name, size_t length, bool is_folder)) {
  DIR *folder = opendir(path);
  if (folder == NULL) return -1;
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(folder);
    if (entry == NULL) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    bool is_one = is_folder(folder, entry);
    if (is_one || !only_folders || strcmp(entry->d_name, ".gitignore") == 0) {
      visit(context, entry->d_name, strlen(entry->d_name), is_one);
    }
  }
  int error = errno;
  closedir(folder);
  errno = error;
  return error == 0 ? 0 : -1;
}

int cl_is_complete(const char *path) {
  struct stat status;
  if (lstat(path, &status) == -1) return -1;
  if (!S_ISREG(status.st_mode)) return S_ISLNK(status.st_mode);
  return status.st_nlink > 1 || status.st_size > 0;
}

/* The descriptors of one process, compared with the wanted sockets: its own table, the tables of threads that
 * have one for themselves, and what is registered with its io_urings. Async-signal-safe, no allocation. */
#define _GNU_SOURCE
#include "process_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { path_room = 64, kernel_thread = 0x00200000 /* PF_KTHREAD, include/linux/sched.h */ };

struct directory_entry { /* getdents64(2) */
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* A descriptor table that is being read. */
struct table {
  struct scan *scan;
  pid_t pid, thread;
  int directory;
};

static bool is_gone(int error) { return error == ENOENT || error == ESRCH; }

static char *append(char *at, const char *text) {
  while (*text) *at++ = *text++;
  *at = 0;
  return at;
}

static char *append_number(char *at, unsigned value) {
  char digits[12];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count) *at++ = digits[--count];
  *at = 0;
  return at;
}

/* "PID/leaf" or "PID/task/THREAD/leaf". */
static char *path_of(char *path, pid_t pid, pid_t thread, const char *leaf) {
  char *at = append_number(path, (unsigned)pid);
  if (thread) at = append_number(append(at, "/task/"), (unsigned)thread);
  return append(append(at, "/"), leaf);
}

static int parse_number(const char *text) {
  int value = 0;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || value > 214748363) return -1;
    value = value * 10 + (*text - '0');
  }
  return value;
}

bool each_number(int directory, char *buffer, size_t size, visit_number *visit, void *context) {
  for (;;) {
    long length = syscall(SYS_getdents64, directory, buffer, size);
    if (length == 0) return true;
    if (length < 0) return is_gone(errno);
    for (long at = 0; at < length;) {
      struct directory_entry *entry = (struct directory_entry *)(buffer + at);
      at += entry->length;
      int number = parse_number(entry->name);
      if (number >= 0 && !visit(context, entry->name, number)) return false;
    }
  }
}

static bool wants(const struct scan *scan, uint64_t inode) {
  size_t low = 0, high = scan->inode_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (scan->inodes[middle] == inode) return true;
    if (scan->inodes[middle] < inode) low = middle + 1;
    else high = middle;
  }
  return false;
}

static void report(const struct table *table, int fd, uint64_t inode, int registered) {
  struct cl_holder holder = {
    .pid = table->pid, .fd = fd, .thread = table->thread, .registered = registered, .inode = inode};
  if (wants(table->scan, inode)) table->scan->found(table->scan->context, &holder);
}

static const char socket_link[] = "socket:[";
enum { socket_link_length = sizeof socket_link - 1 };

/* Sockets that are registered with an io_uring stand in the ring's fdinfo, "0: socket:[123]", and in no
 * descriptor table (kernel: io_uring/fdinfo.c). */
static bool read_ring(const struct table *table, int ring) {
  char path[path_room], bytes[4096];
  append_number(path_of(path, table->pid, table->thread, "fdinfo/"), (unsigned)ring);
  int file = openat(table->scan->proc, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return is_gone(errno);
  int matched = 0;
  uint64_t inode = 0;
  ssize_t length;
  while ((length = read(file, bytes, sizeof bytes)) > 0)
    for (ssize_t i = 0; i < length; i++) {
      char c = bytes[i];
      if (matched == socket_link_length && c >= '0' && c <= '9') {
        inode = inode * 10 + (uint64_t)(c - '0');
        continue;
      }
      if (matched == socket_link_length && c == ']') report(table, ring, inode, 1);
      inode = 0;
      if (matched < socket_link_length && c == socket_link[matched]) matched++;
      else matched = c == socket_link[0];
    }
  bool complete = length == 0 || is_gone(errno);
  close(file);
  return complete;
}

static bool visit_descriptor(void *context, const char *name, int fd) {
  static const char ring[] = "anon_inode:[io_uring]";
  const struct table *table = context;
  char link[48];
  ssize_t length = readlinkat(table->directory, name, link, sizeof link);
  if (length < 0) return is_gone(errno);
  if (length > socket_link_length && !memcmp(link, socket_link, socket_link_length)) {
    uint64_t inode = 0;
    for (ssize_t i = socket_link_length; i < length && link[i] >= '0' && link[i] <= '9'; i++)
      inode = inode * 10 + (uint64_t)(link[i] - '0');
    report(table, fd, inode, 0);
  } else if (length == sizeof ring - 1 && !memcmp(link, ring, sizeof ring - 1)) {
    return read_ring(table, fd);
  }
  return true;
}

static bool read_table(struct scan *scan, pid_t pid, pid_t thread) {
  char path[path_room];
  path_of(path, pid, thread, "fd");
  struct table table = {scan, pid, thread, openat(scan->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (table.directory < 0) return is_gone(errno);
  bool complete = each_number(table.directory, scan->entries, sizeof scan->entries, visit_descriptor, &table);
  close(table.directory);
  return complete;
}

/* The threads of a process, and the last one that turned out to have a table of its own. */
struct threads {
  struct scan *scan;
  pid_t pid, last;
};

static bool share_table(pid_t a, pid_t b) { return syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0) == 0; }

/* A kcmp(2) that fails, not permitted or not built in, means reading the table: nothing is missed. */
static bool visit_thread(void *context, const char *name, int thread) {
  struct threads *threads = context;
  (void)name;
  if (thread == threads->pid || share_table(threads->pid, thread)) return true;
  if (threads->last && share_table(threads->last, thread)) return true;
  threads->last = thread;
  return read_table(threads->scan, threads->pid, thread);
}

/* unshare(2) CLONE_FILES gives a thread its own table, and the table of a process whose first thread has
 * ended (pthread_exit(3)) shows nothing, while other threads go on. */
static bool read_threads(struct scan *scan, pid_t pid) {
  enum { links_of_one_thread = 3 }; /* kernel: fs/proc/base.c proc_task_getattr, 2 + the number of threads */
  char path[path_room];
  struct stat status;
  path_of(path, pid, 0, "task");
  if (fstatat(scan->proc, path, &status, 0) < 0) return is_gone(errno);
  if (status.st_nlink == links_of_one_thread) return true;
  struct threads threads = {scan, pid, 0};
  int directory = openat(scan->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return is_gone(errno);
  bool complete = each_number(directory, scan->tasks, sizeof scan->tasks, visit_thread, &threads);
  close(directory);
  return complete;
}

/* Kernel threads have no descriptors, and a zombie without other threads has none any more. */
static bool has_no_table(struct scan *scan, pid_t pid) {
  char path[path_room], bytes[1024];
  path_of(path, pid, 0, "stat");
  int file = openat(scan->proc, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return is_gone(errno);
  ssize_t length = read(file, bytes, sizeof bytes - 1);
  int error = errno;
  close(file);
  if (length < 0) return is_gone(error);
  bytes[length] = 0;
  /* proc(5): the name is field 2 and ends at the last ')'; then state 3, …, flags 9, …, num_threads 20. */
  char *field = strrchr(bytes, ')'), state = field && field[1] ? field[2] : 0;
  unsigned long flags = 0, thread_count = 0;
  for (int number = 3; field && number <= 20; number++) {
    field = strchr(field + 1, ' ');
    if (field && number == 9) flags = strtoul(field, NULL, 10);
    if (field && number == 20) thread_count = strtoul(field, NULL, 10);
  }
  return flags & kernel_thread || (state == 'Z' && thread_count == 1);
}

bool scan_process(struct scan *scan, pid_t pid) {
  /* Where the table of the process is closed to us, those of its threads are too. */
  return (read_table(scan, pid, 0) && read_threads(scan, pid)) || has_no_table(scan, pid);
}

/* What a daemon needs of cgroup v2 and Swift can't call: see cgroups(7), xattr(7), flock(2). */
#ifndef FDSUPERVISOR_CONTROL_GROUPS_H
#define FDSUPERVISOR_CONTROL_GROUPS_H

#include <stddef.h>

/* An extended attribute: its length, or -1 and errno (ENODATA: there is none). */
long cl_get_attribute(const char *path, const char *name, void *value, size_t size);
int cl_set_attribute(const char *path, const char *name, const void *value, size_t size);

/* Locks an open file for one holder, until the last copy of the descriptor is closed: 0, or -1 and EWOULDBLOCK. */
int cl_lock(int fd);

/* Waits until a file of the kernel changes (POLLPRI, cgroups(7) "cgroup.events"): 1, or 0 when the time is over. */
int cl_await_change(int fd, int timeout_ms);

/* The names of the folders in a folder, one after the other: calls back with each; -1 and errno. */
int cl_each_folder(const char *path, void (*found)(const char *name, void *context), void *context);

#endif

/* What owning a listener needs and Swift's Glibc module hides (GNU extensions). -1 and errno on failure. */
#ifndef FDSUPERVISOR_SOCKETS_H
#define FDSUPERVISOR_SOCKETS_H

#include <stddef.h>
#include <sys/types.h>

/* The inode that a path names, be it a symbolic link: open(2) with O_PATH | O_NOFOLLOW, close-on-exec. */
int cl_open_path_entry(const char *path);

/* fchownat(2) and chmod(2) of exactly that inode, whatever the path names by now. An id of -1 is left as it is. */
int cl_change_owner(int entry, uid_t user, gid_t group);
int cl_change_mode(int entry, mode_t mode);

/* 1 when somebody called shutdown(2) for reading on this socket (POLLRDHUP, poll(2)), else 0. */
int cl_is_shut_down(int socket);

/* How many blocks the attached classic filter has, SO_GET_FILTER, socket(7); 0: none is attached.
 * Fails with EACCES for an eBPF program. */
int cl_filter_length(int socket);

/* A datagram socket that is connected to a path, or to an abstract name behind '@' (unix(7)); close-on-exec, and it
 * never blocks. */
int cl_connect_datagram(const char *path);

/* One message, with a descriptor (SCM_RIGHTS) unless that is -1; never blocks, and raises no SIGPIPE. */
long cl_send(int socket, const void *bytes, size_t length, int descriptor);

#endif

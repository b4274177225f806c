/* The kernel's socket table over sock_diag(7): one dump after the other on one netlink socket.
 * Every function keeps libc's convention: -1 and errno. Nothing here blocks. */
#ifndef FDSUPERVISOR_SOCKET_DIAG_H
#define FDSUPERVISOR_SOCKET_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* States of a socket (kernel: include/net/tcp_states.h); UDP and Unix sockets borrow them from TCP. */
#define CL_STATE_ESTABLISHED 1
#define CL_STATE_TIME_WAIT 6
#define CL_STATE_CLOSE 7
#define CL_STATE_LISTEN 10

/* One socket. Numbers are in host byte order, addresses in network byte order. */
struct cl_socket_row {
  uint8_t family;       /* AF_INET, AF_INET6, AF_UNIX */
  uint8_t type;         /* AF_UNIX alone: SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
  uint8_t state;
  bool v6_only;
  bool has_file;        /* AF_UNIX alone: file_inode and file_device are known (unix_diag UDIAG_SHOW_VFS) */
  uint16_t port;
  uint16_t name_length; /* AF_UNIX alone; an abstract name begins with NUL */
  uint32_t interface;
  uint32_t uid;
  uint32_t queued;      /* listening: connections that wait to be accepted; UDP: bytes */
  uint32_t limit;       /* listening: how many may; else 0 */
  uint32_t inode;
  uint32_t file_inode;  /* the low 32 bits */
  uint32_t file_device; /* the kernel's own form: major << 20 | minor */
  uint8_t address[16];  /* AF_INET: the first four bytes */
  char name[108];
};

/* One dump. `buffer` takes a datagram of the kernel: at least 32 KiB, aligned for a long. */
struct cl_diag_dump {
  int fd;
  uint32_t sequence;
  void *buffer;
  size_t size;
  long length;
  long offset;
};

int cl_diag_open(void);

/* Begins a dump of the sockets in `states` (bits 1 << CL_STATE_…). port 0 means every port. */
int cl_diag_ask_inet(struct cl_diag_dump *dump, int family, int protocol, uint32_t states, uint16_t port);
int cl_diag_ask_unix(struct cl_diag_dump *dump, uint32_t states);

/* 1 and the next socket; 0 at the end; -1 and errno: what the kernel answered, ESTALE when the table changed
 * under the dump (ask again), EMSGSIZE or EPROTO for an answer that makes no sense. After -1 a rest may be in
 * the socket: close it. */
int cl_diag_next(struct cl_diag_dump *dump, struct cl_socket_row *row);

#endif

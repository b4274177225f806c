/* sock_diag(7), linux/inet_diag.h, linux/unix_diag.h. The answers are flat rows; who overlaps whom is decided
 * by the caller. */
#define _GNU_SOURCE
#include "socket_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDIAG_SHOW_UID /* Linux 5.3 */
#define UDIAG_SHOW_UID 0x40
#endif
enum { unix_diag_uid = 7 /* UNIX_DIAG_UID, Linux 5.3 */ };

int cl_diag_open(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG); }

static int ask(struct cl_diag_dump *dump, struct nlmsghdr *header, const void *request, size_t length) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct iovec parts[] = {{header, sizeof *header}, {(void *)request, length}};
  struct msghdr message = {
    .msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = parts, .msg_iovlen = 2};
  header->nlmsg_len = (uint32_t)(sizeof *header + length);
  header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = ++dump->sequence;
  dump->length = dump->offset = 0;
  ssize_t sent;
  do sent = sendmsg(dump->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -1 : 0;
}

int cl_diag_ask_inet(struct cl_diag_dump *dump, int family, int protocol, uint32_t states, uint16_t port) {
  struct nlmsghdr header = {0};
  struct inet_diag_req_v2 request = {
    .sdiag_family = (uint8_t)family,
    .sdiag_protocol = (uint8_t)protocol,
    .idiag_states = states,
    /* The kernel compares the port before it writes a row: other ports cost nothing but a look. */
    .id = {.idiag_sport = htons(port), .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}};
  return ask(dump, &header, &request, sizeof request);
}

int cl_diag_ask_unix(struct cl_diag_dump *dump, uint32_t states) {
  struct nlmsghdr header = {0};
  struct unix_diag_req request = {
    .sdiag_family = AF_UNIX,
    .udiag_states = states,
    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID,
    .udiag_cookie = {~0u, ~0u}};
  return ask(dump, &header, &request, sizeof request);
}

static int next_datagram(struct cl_diag_dump *dump) {
  struct sockaddr_nl sender = {0};
  struct iovec vector = {dump->buffer, dump->size};
  struct msghdr message = {
    .msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &vector, .msg_iovlen = 1};
  /* The kernel answers inside sendmsg and recvmsg: there always is something to read until NLMSG_DONE. */
  do dump->length = recvmsg(dump->fd, &message, MSG_DONTWAIT);
  while (dump->length < 0 && errno == EINTR);
  dump->offset = 0;
  if (dump->length < 0) return -1;
  if (message.msg_flags & MSG_TRUNC) return errno = EMSGSIZE, -1;
  if (dump->length == 0) return errno = EPROTO, -1;
  if (sender.nl_pid != 0) dump->length = 0; /* not from the kernel */
  return 0;
}

static void read_inet(const struct nlmsghdr *header, struct cl_socket_row *row) {
  const struct inet_diag_msg *m = NLMSG_DATA(header);
  row->family = m->idiag_family;
  row->state = m->idiag_state;
  row->port = ntohs(m->id.idiag_sport);
  row->interface = m->id.idiag_if;
  row->uid = m->idiag_uid;
  row->inode = m->idiag_inode;
  row->queued = m->idiag_rqueue;
  row->limit = m->idiag_state == CL_STATE_LISTEN ? m->idiag_wqueue : 0;
  memcpy(row->address, m->id.idiag_src, sizeof row->address);
  struct rtattr *a = (struct rtattr *)(m + 1);
  int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *m));
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
    if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1) row->v6_only = *(uint8_t *)RTA_DATA(a);
}

static void read_unix_attribute(struct rtattr *a, struct cl_socket_row *row) {
  size_t length = RTA_PAYLOAD(a);
  if (a->rta_type == UNIX_DIAG_NAME) {
    row->name_length = (uint16_t)(length < sizeof row->name ? length : sizeof row->name);
    memcpy(row->name, RTA_DATA(a), row->name_length);
  } else if (a->rta_type == UNIX_DIAG_VFS && length >= sizeof(struct unix_diag_vfs)) {
    const struct unix_diag_vfs *file = RTA_DATA(a);
    row->has_file = true;
    row->file_inode = file->udiag_vfs_ino;
    row->file_device = file->udiag_vfs_dev;
  } else if (a->rta_type == UNIX_DIAG_RQLEN && length >= sizeof(struct unix_diag_rqlen)) {
    const struct unix_diag_rqlen *queue = RTA_DATA(a);
    row->queued = queue->udiag_rqueue;
    row->limit = row->state == CL_STATE_LISTEN ? queue->udiag_wqueue : 0;
  } else if (a->rta_type == unix_diag_uid && length >= sizeof(uint32_t)) {
    memcpy(&row->uid, RTA_DATA(a), sizeof(uint32_t));
  }
}

static void read_unix(const struct nlmsghdr *header, struct cl_socket_row *row) {
  const struct unix_diag_msg *m = NLMSG_DATA(header);
  row->family = AF_UNIX;
  row->type = m->udiag_type;
  row->state = m->udiag_state;
  row->inode = m->udiag_ino;
  row->uid = ~0u;
  struct rtattr *a = (struct rtattr *)(m + 1);
  int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *m));
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) read_unix_attribute(a, row);
}

/* 1: a row; 0: the end; -1: an error; 2: nothing of interest. */
static int read_message(
  const struct cl_diag_dump *dump, const struct nlmsghdr *h, struct cl_socket_row *row) {
  if (h->nlmsg_seq != dump->sequence) return 2; /* the rest of an earlier dump */
  if (h->nlmsg_flags & NLM_F_DUMP_INTR) return errno = ESTALE, -1;
  if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
    /* Both begin with a negative errno; that of NLMSG_DONE is 0 when all went well (netlink(7)). */
    int code = 0;
    if (h->nlmsg_len >= NLMSG_LENGTH(sizeof code)) memcpy(&code, NLMSG_DATA(h), sizeof code);
    if (code < 0) return errno = -code, -1;
    return h->nlmsg_type == NLMSG_DONE ? 0 : 2;
  }
  if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY) return 2;
  memset(row, 0, sizeof *row);
  uint8_t family = *(uint8_t *)NLMSG_DATA(h);
  size_t least = family == AF_UNIX ? sizeof(struct unix_diag_msg) : sizeof(struct inet_diag_msg);
  if (h->nlmsg_len < NLMSG_LENGTH(least)) return errno = EPROTO, -1;
  if (family == AF_UNIX) read_unix(h, row);
  else read_inet(h, row);
  return 1;
}

int cl_diag_next(struct cl_diag_dump *dump, struct cl_socket_row *row) {
  for (;;) {
    while (dump->offset >= dump->length)
      if (next_datagram(dump) < 0) return -1;
    struct nlmsghdr *h = (struct nlmsghdr *)((char *)dump->buffer + dump->offset);
    long left = dump->length - dump->offset;
    if (!NLMSG_OK(h, left)) return errno = EPROTO, -1;
    dump->offset += NLMSG_ALIGN(h->nlmsg_len);
    int result = read_message(dump, h, row);
    if (result != 2) return result;
  }
}

/* A bind that is taken back: it finds bound sockets that don't listen, which no table of listeners shows. */
#define _GNU_SOURCE
#include "trial_bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_address(int fd, int family, const uint8_t address[16], uint32_t scope, uint16_t port) {
  if (family == AF_INET) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&four.sin_addr, address, 4);
    return bind(fd, (struct sockaddr *)&four, sizeof four);
  }
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope};
  memcpy(&six.sin6_addr, address, 16);
  return bind(fd, (struct sockaddr *)&six, sizeof six);
}

int cl_trial_bind(int family, int type, const uint8_t address[16], uint32_t scope, uint16_t port) {
  int off = 0, on = 1, error = 0, fd = socket(family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  /* With net.ipv6.bindv6only set, [::] would not meet a holder of 0.0.0.0 (ipv6(7)). */
  if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) error = errno;
  /* For TCP it only passes over TIME_WAIT; two UDP sockets that both have it may share a port (socket(7)). */
  if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) error = errno;
  if (!error && bind_address(fd, family, address, scope, port) < 0) error = errno;
  close(fd);
  return error;
}

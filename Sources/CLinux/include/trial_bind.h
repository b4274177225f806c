/* Is an address free? bind(2) knows what no table shows. */
#ifndef FDSUPERVISOR_TRIAL_BIND_H
#define FDSUPERVISOR_TRIAL_BIND_H

#include <stdint.h>

/* Binds and closes at once, without listen(2) and without SO_REUSEPORT: 0, or the errno of the failing step.
 * family: AF_INET or AF_INET6 (dual stack); type: SOCK_STREAM or SOCK_DGRAM; address: network byte order. */
int cl_trial_bind(int family, int type, const uint8_t address[16], uint32_t scope, uint16_t port);

#endif

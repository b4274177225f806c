/* The keeper's side of the wire. Its daemon is whoever is connected; when that one dies, who comes to the door and is
 * of the same user. */
#include "talk.h"

#include <linux/fcntl.h>
#include <linux/socket.h>

#include "kernel.h"

enum { SOL_SOCKET_ = 1, SO_PEERCRED_ = 17, SO_SNDTIMEO_ = 21 }; /* asm-generic/socket.h, on either machine */
enum { E_INTR = 4, E_AGAIN = 11, NO_WAIT = 0x40 /* MSG_DONTWAIT */, NO_SIGNAL = 0x4000 /* MSG_NOSIGNAL */ };

struct message_header { /* struct msghdr of the kernel's ABI (struct user_msghdr) */
  void *name;
  int name_length;
  void *vector;
  unsigned long vector_count;
  void *control;
  unsigned long control_length;
  unsigned flags;
};

struct rights { /* one SCM_RIGHTS message with one descriptor, unix(7) */
  unsigned long length;
  int level, type, descriptor, padding;
};

long tell(int control, const void *message, unsigned long length, int descriptor) {
  struct { const void *base; unsigned long length; } vector = {message, length};
  struct rights rights = {20, SOL_SOCKET_, 1 /* SCM_RIGHTS */, descriptor, 0};
  struct message_header header = {.vector = &vector, .vector_count = 1};
  if (descriptor >= 0) {
    header.control = &rights;
    header.control_length = sizeof rights;
  }
  return KERNEL(sendmsg, control, &header, NO_SIGNAL);
}

void keeper_begin(struct keeper *keeper, const struct keeper_plan *plan) {
  struct keeper_hello *hello = &keeper->hello;
  hello->version = KEEPER_PLAN_VERSION;
  hello->generation = plan->generation;
  hello->fingerprint = plan->fingerprint;
  if (plan->flags & KEEPER_SURVIVE && plan->door) hello->flags |= KEEPER_HOLDING;
  for (unsigned i = 0; i + 1 < sizeof hello->service && keeper->title[i] && keeper->title[i] != '/'; i++)
    hello->service[i] = keeper->title[i];
  keeper->stray_timeout_ms = plan->stray_timeout_ms;
  keeper->first_unused = (int)plan->first_unused;
  keeper->door = (int)plan->door;
  keeper->notify = (int)plan->notify;
  keeper->output = (int)plan->output;
  keeper->listener = (int)plan->listener;
  keeper->listener_count = (int)plan->listener_count;
  keeper->is_connected = 1;
}

int hear(struct keeper *keeper) {
  struct keeper_message message;
  long count = KERNEL(recvfrom, CONTROL, &message, sizeof message, NO_WAIT, 0, 0);
  if (count == -E_AGAIN || count == -E_INTR) return 0;
  if (count <= 0) { /* the end, or ECONNRESET: it died with messages unread */
    keeper->is_connected = 0;
    KERNEL(close, CONTROL);
    if (!(keeper->hello.flags & KEEPER_HOLDING)) keeper->hello.flags |= KEEPER_ENDING;
    return 0;
  }
  if (count == sizeof message && message.kind == KEEPER_IS_READY) {
    keeper->hello.flags |= KEEPER_WAS_READY;
  } else if (count == sizeof message && message.kind == KEEPER_END) {
    keeper->hello.flags |= KEEPER_ENDING;
  }
  return 1;
}

void hear_out(struct keeper *keeper) {
  while (hear(keeper)) {
  }
  if (keeper->is_connected) KERNEL(close, CONTROL);
  keeper->is_connected = 0;
}

static int is_of_our_user(long connection) {
  struct { int pid; unsigned uid, gid; } peer = {0, ~0u, ~0u};
  int length = sizeof peer;
  if (KERNEL(getsockopt, connection, SOL_SOCKET_, SO_PEERCRED_, &peer, &length) < 0) return 0;
  return peer.uid == (unsigned)KERNEL(geteuid, 0);
}

/* Without the descriptor where none can be sent: descriptors in flight are limited per user (unix(7)). */
static int tell_anyhow(const void *message, unsigned long length, int descriptor) {
  return tell(CONTROL, message, length, descriptor) >= 0 || tell(CONTROL, message, length, -1) >= 0;
}

static int show(int descriptor, int what) {
  struct keeper_message message = {.kind = KEEPER_HOLDS, .code = what};
  return descriptor <= 0 || tell_anyhow(&message, sizeof message, descriptor);
}

static int greet(struct keeper *keeper) {
  keeper->hello.head.kind = KEEPER_HELLO;
  int is_heard = tell_anyhow(&keeper->hello, sizeof keeper->hello, MAIN);
  if (keeper->hello.flags & KEEPER_HOLDING)
    for (int listener = MAIN + 1; is_heard && listener < keeper->first_unused; listener++)
      is_heard = show(listener, KEEPER_LISTENER);
  for (int i = 0; is_heard && i < keeper->listener_count; i++) is_heard = show(keeper->listener + i, KEEPER_LISTENER);
  is_heard = is_heard && show(keeper->notify, KEEPER_NOTIFY) && show(keeper->output, KEEPER_OUTPUT) &&
             show(keeper->filter, KEEPER_FILTER);
  struct keeper_message end = {.kind = KEEPER_GREETED};
  return is_heard && tell(CONTROL, &end, sizeof end, -1) >= 0;
}

void admit(struct keeper *keeper) {
  struct { long s, us; } patience = {1, 0};
  if (keeper->door <= 0) return;
  long connection = KERNEL(accept4, keeper->door, 0, 0, O_CLOEXEC);
  if (connection < 0) return;
  if (!is_of_our_user(connection)) {
    KERNEL(close, connection);
    return;
  }
  /* Who does not read must not keep us from our children. */
  KERNEL(setsockopt, connection, SOL_SOCKET_, SO_SNDTIMEO_, &patience, sizeof patience);
  if (connection != CONTROL) {
    KERNEL(dup3, connection, CONTROL, O_CLOEXEC);
    KERNEL(close, connection);
  }
  keeper->is_connected = 1;
  if (!greet(keeper)) hear_out(keeper);
}

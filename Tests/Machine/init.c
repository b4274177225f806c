/* The first process of a small virtual machine: does with the real keeper what the daemon does, for one program after
 * the other, and says what came of it. For machines on which the daemon can't be built where it is tested. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CLinux.h"
#include "keeper.h"

enum { PATIENCE_MS = 20000, CONTROL = 3, PLAN = 4 };

struct scene {
  const char *program;
  unsigned short port;
  int listener; /* what the program is to get */
  pid_t keeper;
  int control; /* our end of the keeper's connection */
  int filter;
  int pidfd;
  int main_pid;
};

/* Why a scene failed: the step, with errno as it was. */
static const char *failed(const char *step) {
  printf("  %s: %s\n", step, strerror(errno));
  return step;
}

static struct sockaddr_in loopback(unsigned short port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons(port);
  return address;
}

/* The layout of a launch plan: strings and lists behind its head, keeper.h. */
struct plan {
  union {
    struct keeper_plan head;
    char bytes[4096];
  };
  unsigned used;
};

static uint64_t put_string(struct plan *plan, const char *text) {
  unsigned at = plan->used;
  strcpy(plan->bytes + at, text);
  plan->used = (at + (unsigned)strlen(text) + 8) & ~7u;
  return at;
}

static uint32_t put_list(struct plan *plan, const uint64_t *items, unsigned count) {
  unsigned at = plan->used;
  memcpy(plan->bytes + at, items, count * sizeof *items);
  plan->used += (count + 1) * (unsigned)sizeof *items;
  return at;
}

static int make_plan(const struct scene *scene) {
  static struct plan plan;
  char port[8];
  memset(&plan, 0, sizeof plan);
  plan.used = (sizeof plan.head + 7) & ~7u;
  snprintf(port, sizeof port, "%u", scene->port);
  uint64_t program = put_string(&plan, scene->program);
  plan.head.arguments = put_list(&plan, (uint64_t[]){program, put_string(&plan, port)}, 2);
  plan.head.environment = put_list(&plan, NULL, 0);
  plan.head.programs = put_list(&plan, &program, 1);
  plan.head.magic = KEEPER_PLAN_MAGIC;
  plan.head.version = KEEPER_PLAN_VERSION;
  plan.head.flags = KEEPER_INTERCEPT | KEEPER_MUST_INTERCEPT;
  plan.head.first_unused = 3;
  plan.head.umask = 022;
  plan.head.stray_timeout_ms = 100;
  plan.head.size = plan.used;
  int file = memfd_create("plan", MFD_CLOEXEC);
  return write(file, plan.bytes, plan.used) == (ssize_t)plan.used ? file : -1;
}

static const char *start_keeper(struct scene *scene) {
  int pair[2], plan = make_plan(scene);
  if (plan < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return failed("plan");
  scene->keeper = fork();
  if (scene->keeper == 0) {
    int control = dup(pair[1]), file = dup(plan); /* out of the way of the numbers that they get */
    int high_control = dup2(control, 100), high_file = dup2(file, 101);
    dup2(high_control, CONTROL);
    dup2(high_file, PLAN);
    execl("/keeper", "fdsupervisor-keeper", "app/1", "3", "4", NULL);
    _exit(127);
  }
  close(pair[1]);
  close(plan);
  scene->control = pair[0];
  return NULL;
}

/* The next message, and the descriptor that came along, or -1; 0 when the keeper is gone. */
static int receive(struct scene *scene, struct keeper_message *message, int *descriptor) {
  char room[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {message, sizeof *message};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  *descriptor = -1;
  if (recvmsg(scene->control, &header, MSG_CMSG_CLOEXEC) != sizeof *message) return 0;
  struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  if (part && part->cmsg_type == SCM_RIGHTS) memcpy(descriptor, CMSG_DATA(part), sizeof *descriptor);
  return 1;
}

static const char *await_start(struct scene *scene) {
  struct keeper_message message;
  int descriptor;
  while (receive(scene, &message, &descriptor)) switch (message.kind) {
    case KEEPER_INTERCEPTS: scene->filter = descriptor; break;
    case KEEPER_STARTED:
      scene->main_pid = message.pid;
      scene->pidfd = descriptor;
      return scene->filter >= 0 && descriptor >= 0 ? NULL : "no filter, or no pidfd";
    default: printf("  kind %u, step %d, error %d\n", message.kind, message.step, message.error); return "launch";
  }
  return "the keeper is gone";
}

static const char *answer_bind(struct scene *scene, const struct cl_socket_call *call) {
  struct sockaddr_in wanted = loopback(scene->port), got;
  if (cl_call_read_address(call, &got, sizeof got) != sizeof got) return failed("read the address");
  if (got.sin_port != wanted.sin_port || got.sin_family != AF_INET) return "another address was read";
  int theirs = cl_pidfd_getfd(scene->pidfd, call->descriptor);
  if (theirs < 0) return failed("take the caller's socket");
  close(theirs);
  if (!cl_call_is_pending(scene->filter, call->id)) return "the call is over";
  if (cl_call_replace(scene->filter, call->id, scene->listener, call->descriptor) != 0) return failed("replace");
  return cl_call_answer(scene->filter, call->id, 0) == 0 ? NULL : failed("answer bind");
}

/* Until the program listens. */
static const char *answer_calls(struct scene *scene) {
  int is_bound = 0;
  for (;;) {
    struct pollfd question = {scene->filter, POLLIN, 0};
    struct cl_socket_call call;
    if (poll(&question, 1, PATIENCE_MS) != 1) return "it did not call";
    if (cl_call_receive(scene->filter, &call) != 1) continue;
    if (call.kind == CL_CALL_BIND) {
      const char *problem = answer_bind(scene, &call);
      if (problem) return problem;
      is_bound = 1;
    } else if (call.kind == CL_CALL_LISTEN) {
      if (cl_call_answer(scene->filter, call.id, 0) != 0) return failed("answer listen");
      return is_bound ? NULL : "it listens without a bind";
    } else {
      cl_call_continue(scene->filter, call.id);
    }
  }
}

static const char *be_served(const struct scene *scene) {
  struct sockaddr_in address = loopback(scene->port);
  char text[4] = "";
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(client, (struct sockaddr *)&address, sizeof address) != 0) return failed("connect");
  if (read(client, text, 3) != 3 || strcmp(text, "hi\n") != 0) return failed("answer of the program");
  close(client);
  return NULL;
}

/* Everybody is swept, also who left the session; then nobody has the port. */
static const char *end(struct scene *scene) {
  struct keeper_message message = {.kind = KEEPER_END};
  struct sockaddr_in address = loopback(scene->port);
  int descriptor, has_exited = 0, is_empty = 0;
  if (send(scene->control, &message, sizeof message, 0) < 0) return failed("tell the keeper");
  while (receive(scene, &message, &descriptor)) {
    has_exited |= message.kind == KEEPER_EXITED && message.pid == scene->main_pid;
    is_empty |= message.kind == KEEPER_EMPTY;
  }
  if (!has_exited || !is_empty || waitpid(scene->keeper, NULL, 0) != scene->keeper) return "the end was not told";
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int is_refused = connect(client, (struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED;
  close(client);
  return is_refused ? NULL : "somebody has the port";
}

static const char *play(const char *program, unsigned short port) {
  struct scene scene = {.program = program, .port = port, .filter = -1, .pidfd = -1};
  struct sockaddr_in address = loopback(port);
  scene.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(scene.listener, (struct sockaddr *)&address, sizeof address) != 0) return failed("bind");
  if (listen(scene.listener, 16) != 0) return failed("listen");
  const char *problem = start_keeper(&scene);
  if (!problem) problem = await_start(&scene);
  if (!problem) problem = answer_calls(&scene);
  close(scene.listener); /* the program has it by now */
  if (!problem) problem = be_served(&scene);
  if (!problem) problem = end(&scene);
  return problem;
}

static void prepare(void) {
  struct ifreq loop = {.ifr_name = "lo"};
  int socket_number = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", 0, "");
  loop.ifr_flags = IFF_UP;
  ioctl(socket_number, SIOCSIFFLAGS, &loop);
  close(socket_number);
  setvbuf(stdout, NULL, _IONBF, 0);
}

int main(void) {
  static const char *const programs[] = {"/program64", "/program32"};
  prepare();
  for (int i = 0; i < 2; i++) {
    const char *problem = play(programs[i], (unsigned short)(8000 + i));
    printf("machine: %s: %s\n", programs[i], problem ? problem : "passed");
  }
  sync();
  reboot(RB_POWER_OFF);
}

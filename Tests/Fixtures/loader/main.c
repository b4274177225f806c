/* Clients that connect, wait for the whole answer and connect again, until SIGTERM, or until the time is over:
 *
 *   loader ADDRESS CLIENTS [SECONDS]      ADDRESS is IP:PORT (v4), or the path of a Unix socket
 *
 * Then one line of JSON: what became of the requests, and the longest that one took. For tests and figures only; it is
 * not installed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 15, MOST_CLIENTS = 256 }; /* seconds; clients */

struct results {
  long requests, answered, refused, reset, empty, timed_out, other;
  double stall_ms;
  char reason[64];
};

static struct sockaddr_storage address;
static socklen_t address_length;
static volatile sig_atomic_t is_over;

static void fail(const char *what) {
  fprintf(stderr, "loader: %s: %s\n", what, strerror(errno));
  exit(99);
}

static void read_address(const char *text) {
  const char *colon = strrchr(text, ':');
  if (text[0] == '/') {
    struct sockaddr_un *local = (struct sockaddr_un *)&address;
    if (strlen(text) >= sizeof local->sun_path) fail("the path is too long");
    local->sun_family = AF_UNIX;
    strcpy(local->sun_path, text);
    address_length = sizeof *local;
    return;
  }
  struct sockaddr_in *internet = (struct sockaddr_in *)&address;
  char host[64];
  snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
  internet->sin_family = AF_INET;
  internet->sin_port = htons((in_port_t)(colon ? atoi(colon + 1) : 0));
  errno = EINVAL;
  if (inet_pton(AF_INET, host, &internet->sin_addr) != 1) fail(text);
  address_length = sizeof *internet;
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* The bytes of the answer; -1 and errno for a connection that was not answered to its end. */
static ssize_t ask(int number) {
  struct timeval patience = {.tv_sec = PATIENCE};
  char buffer[4096];
  ssize_t total = 0, part;
  /* Both bound connect(2), too: socket(7). */
  setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(number, (struct sockaddr *)&address, address_length)) return -1;
  while ((part = read(number, buffer, sizeof buffer)) > 0) total += part;
  return part < 0 ? -1 : total;
}

static void count(struct results *results, ssize_t answer, int code) {
  results->requests++;
  if (answer > 0) results->answered++;
  else if (answer == 0) results->empty++;
  else if (code == ECONNREFUSED || code == ENOENT) results->refused++;
  else if (code == ECONNRESET || code == EPIPE) results->reset++;
  else if (code == EAGAIN || code == EINPROGRESS || code == ETIMEDOUT) results->timed_out++;
  else {
    results->other++;
    snprintf(results->reason, sizeof results->reason, "%s", strerror(code));
  }
}

static void *client(void *argument) {
  struct results *results = argument;
  while (!is_over) {
    double began = now_ms(), took;
    int number = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number < 0) fail("socket");
    ssize_t answer = ask(number);
    count(results, answer, errno);
    close(number);
    took = now_ms() - began;
    if (took > results->stall_ms) results->stall_ms = took;
    /* Whoever is refused is refused at once; that is worth one line, not a million. */
    if (answer < 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return NULL;
}

static void print(const struct results *all, int clients) {
  struct results sum = {0};
  for (int index = 0; index < clients; index++) {
    const struct results *one = all + index;
    sum.requests += one->requests;
    sum.answered += one->answered;
    sum.refused += one->refused;
    sum.reset += one->reset;
    sum.empty += one->empty;
    sum.timed_out += one->timed_out;
    sum.other += one->other;
    if (one->stall_ms > sum.stall_ms) sum.stall_ms = one->stall_ms;
    if (one->reason[0]) memcpy(sum.reason, one->reason, sizeof sum.reason);
  }
  printf(
    "{\"requests\":%ld,\"answered\":%ld,\"refused\":%ld,\"reset\":%ld,\"empty\":%ld,\"timed_out\":%ld,\"other\":%ld,"
    "\"reason\":\"%s\",\"stall_ms\":%.2f}\n",
    sum.requests, sum.answered, sum.refused, sum.reset, sum.empty, sum.timed_out, sum.other, sum.reason, sum.stall_ms);
}

int main(int count, char **words) {
  static struct results results[MOST_CLIENTS];
  pthread_t threads[MOST_CLIENTS];
  sigset_t term;
  int clients = count > 2 ? atoi(words[2]) : 0, seconds = count > 3 ? atoi(words[3]) : 0;
  if (clients < 1 || clients > MOST_CLIENTS) {
    fprintf(stderr, "usage: loader ADDRESS CLIENTS [SECONDS]\n");
    return 64;
  }
  read_address(words[1]);
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigaddset(&term, SIGINT);
  sigprocmask(SIG_BLOCK, &term, NULL);
  for (int index = 0; index < clients; index++)
    if (pthread_create(threads + index, NULL, client, results + index)) fail("pthread_create");
  if (seconds > 0) sigtimedwait(&term, NULL, &(struct timespec){.tv_sec = seconds});
  else sigwaitinfo(&term, NULL);
  is_over = true;
  for (int index = 0; index < clients; index++) pthread_join(threads[index], NULL);
  print(results, clients);
  return 0;
}

/* A program that knows of no supervisor: binds a port of 127.0.0.1, leaves a child in a session of its own, and
 * answers "hi". Built for 64 bits and for 32. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (count != 2) return 64;
  address.sin_port = htons((unsigned short)atoi(arguments[1]));
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) return 1;
  if (listen(listener, 5) != 0) return 2;
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    for (;;) pause();
  }
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0 || write(connection, "hi\n", 3) != 3) return 3;
    close(connection);
  }
}

// Non-blocking descriptors and poll(). Standard streams end with their reader or writer; a TCP connection is made
// again every second.
#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RETRY_MS = 1000 };

static struct {
  int in, out; // −1: closed
  const char *host, *port;
  bool ended;
  uint64_t retryAt;
} connection = {-1, -1, NULL, NULL, false, 0};

static bool setNonBlocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/** A connected socket, or −1 with the reason in `why`. */
static int connectTcp(const char **why) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  int error = getaddrinfo(connection.host, connection.port, &hints, &found);
  if (error != 0) {
    *why = gai_strerror(error);
    return -1;
  }
  int fd = -1;
  for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
    fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) continue;
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) break;
    *why = strerror(errno);
    close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  if (fd < 0) return -1;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (setNonBlocking(fd)) return fd;
  *why = strerror(errno);
  close(fd);
  return -1;
}

bool portOpen(const char *host, const char *port) {
  if (host[0] == 0) {
    connection.in = STDIN_FILENO;
    connection.out = STDOUT_FILENO;
    if (setNonBlocking(connection.in) && setNonBlocking(connection.out)) return true;
    fprintf(stderr, "octomote: standard input and output cannot be used as a link: %s\n", strerror(errno));
    return false;
  }
  const char *why = "no address";
  connection.host = host;
  connection.port = port;
  connection.in = connection.out = connectTcp(&why);
  if (connection.in >= 0) return true;
  fprintf(stderr, "octomote: cannot connect to %s port %s: %s\n", host, port, why);
  return false;
}

static void disconnected(void) {
  if (connection.host == NULL) {
    connection.ended = true;
  } else if (connection.in >= 0) {
    close(connection.in);
    connection.retryAt = 0;
  }
  connection.in = connection.out = -1;
}

PortEvent portEvent(uint64_t now) {
  if (connection.ended) return PORT_ENDED;
  if (connection.in >= 0 || now < connection.retryAt) return PORT_SAME;
  const char *why;
  connection.in = connection.out = connectTcp(&why);
  connection.retryAt = now + RETRY_MS;
  return connection.in >= 0 ? PORT_RECONNECTED : PORT_SAME;
}

size_t portRead(uint8_t *data, size_t bytes) {
  if (connection.in < 0) return 0;
  ssize_t n = read(connection.in, data, bytes);
  if (n > 0) return (size_t)n;
  if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) disconnected();
  return 0;
}

size_t portWrite(const uint8_t *data, size_t bytes) {
  // without a connection there is nobody to wait for: the bytes are gone, as on an unplugged UART
  if (connection.out < 0) return bytes;
  ssize_t n = write(connection.out, data, bytes);
  if (n >= 0) return (size_t)n;
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) disconnected();
  return 0;
}

void portWait(uint32_t ms, bool outputPending) {
  if (connection.ended) return;
  struct pollfd fds[2] = {{connection.in, POLLIN, 0}, {outputPending ? connection.out : -1, POLLOUT, 0}};
  poll(fds, 2, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

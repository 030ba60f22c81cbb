// The link's bytes on posix: standard streams, or a TCP connection that is made again when it breaks.
#ifndef OM_POSIX_PORT_H
#define OM_POSIX_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum PortEvent { PORT_SAME, PORT_RECONNECTED, PORT_ENDED } PortEvent;

/** Opens the link: to `host` and `port`, or standard streams if host is empty. Says on stderr why it cannot. */
bool portOpen(const char *host, const char *port);

/** What happened to the connection since the last call; tries to connect again when it is due. */
PortEvent portEvent(uint64_t now);

size_t portRead(uint8_t *data, size_t bytes);
size_t portWrite(const uint8_t *data, size_t bytes);
void portWait(uint32_t ms, bool outputPending);

#endif

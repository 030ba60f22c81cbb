// The command line of a virtual device.
#ifndef OM_POSIX_OPTIONS_H
#define OM_POSIX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Options {
  const char *id, *module, *samples;
  char host[256]; // of --connect; empty: standard streams
  const char *tcpPort;
  size_t poolBytes;
  uint32_t stackBytes, seed, maxStepsPerSecond;
  bool autostart;
} Options;

/** Reads them; returns −1 to go on, else the exit status (0 after --help, 2 after a sentence on stderr). */
int optionsRead(Options *options, int argc, char **argv);

#endif

// A virtual device as a process: the firmware's runtime with files for flash, a sample file for a sensor, and standard
// streams or a TCP connection for a UART. It sleeps in poll() whenever nothing is due.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "loop.h"
#include "options.h"
#include "port.h"
#include "samples.h"

enum { EXIT_USAGE = 2, EXIT_INPUT = 3, EXIT_LINK = 4 };

static uint64_t millis(void) {
  static struct timespec boot;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (boot.tv_sec == 0 && boot.tv_nsec == 0) boot = now;
  int64_t ms = (int64_t)(now.tv_sec - boot.tv_sec) * 1000 + (now.tv_nsec - boot.tv_nsec) / 1000000;
  return (uint64_t)ms;
}

static uint32_t bootNumber(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return ((uint32_t)getpid() * 2654435761u ^ (uint32_t)now.tv_sec ^ (uint32_t)now.tv_nsec) & 0xffffff;
}

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

#ifdef __linux__
// provided by the linker: static data lies between them
extern char __data_start, _end;
static uint32_t staticBytes(void) { return (uint32_t)(&_end - &__data_start); }
#else
static uint32_t staticBytes(void) { return 0; }
#endif

/** What a module may use of the stack that is below here: all but a reserve for host functions. */
static const void *stackBound(void) {
  enum { DEFAULT = 8 << 20, RESERVE = 256 << 10 };
  struct rlimit limit;
  bool told = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < DEFAULT;
  uintptr_t bytes = told ? (uintptr_t)limit.rlim_cur : DEFAULT;
  if (bytes < 2 * RESERVE) return NULL;
  return (const void *)((uintptr_t)__builtin_frame_address(0) - bytes + RESERVE);
}

int main(int argc, char **argv) {
  Options options;
  int status = optionsRead(&options, argc, argv);
  if (status >= 0) return status;

  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);

  File module, file;
  if (!fileMap(options.module, &module) || !fileMap(options.samples, &file)) return EXIT_INPUT;
  Samples samples = {0};
  Fault fault;
  if (options.samples != NULL && samplesOpen(&samples, file.data, file.bytes, &fault) != OM_OK) {
    fprintf(stderr, "octomote: %s: %s (got %u, want %u)\n", options.samples, fault.text, (unsigned)fault.got,
            (unsigned)fault.want);
    return EXIT_INPUT;
  }
  if (!portOpen(options.host, options.tcpPort)) return EXIT_LINK;

  Sensor sensor = samplesSensor(&samples);
  void *pool = aligned_alloc(16, options.poolBytes);
  if (pool == NULL) {
    fprintf(stderr, "octomote: no memory for a pool of %zu bytes: pass a smaller --pool\n",
            options.poolBytes);
    return EXIT_INPUT;
  }
  // touch it now: a device has its memory from the start
  memset(pool, 0, options.poolBytes);

  Board board = {.id = options.id,
                 .name = "posix",
                 .module = module.data,
                 .moduleBytes = (uint32_t)module.bytes,
                 .sensor = options.samples != NULL ? &sensor : NULL,
                 .pool = pool,
                 .poolBytes = options.poolBytes,
                 .moduleStack = options.stackBytes,
                 .stackBound = stackBound(),
                 .staticBytes = staticBytes(),
                 .autostart = options.autostart,
                 .seed = options.seed,
                 .bootNumber = bootNumber(),
                 .maxStepsPerSecond =
                     options.maxStepsPerSecond != 0 ? options.maxStepsPerSecond : samples.perSecond,
                 .read = portRead,
                 .write = portWrite,
                 .millis = millis,
                 .wait = portWait};
  loopInit(&board);
  while (!stopped) {
    PortEvent event = portEvent(millis());
    if (event == PORT_ENDED) break;
    if (event == PORT_RECONNECTED) loopReconnected();
    loopOnce();
  }
  free(pool);
  return 0;
}

// The training variant: the firmware's engine and intrinsics without a link, for benchmarks on this machine. Its sensor gives
// what standard input names; what the module publishes, and its learned state, go to standard output.
//
//   octomote-device MODULE SAMPLES SEED POOL-KIB [HASH=VALUE …]     parameters: hash of the name, Q32.32, both decimal
//
// Little-endian u32 on both streams. In: n, then n numbers of samples, which are n steps; or 0 for the state. Out: for each
// step the length of the record that it published and its bytes, and at the end microseconds of CPU; for the state its
// length and its bytes.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "abi.h"
#include "files.h"
#include "pool.h"
#include "samples.h"

enum { EXIT_USAGE = 2, EXIT_INPUT = 3, EXIT_MODULE = 4, MODULE_STACK = 8192 };

static Samples samples;

static _Noreturn void end(int status, const char *what, const Fault *fault) {
  fprintf(stderr, "octomote: %s", what);
  if (fault != NULL)
    fprintf(stderr, ": error %d, where %d, got %d, want %d %s", (int)fault->code, (int)fault->where,
            (int)fault->got, (int)fault->want, fault->text);
  fputc('\n', stderr);
  exit(status);
}

static void writeRecord(const uint8_t *data, uint32_t bytes) {
  if (fwrite(&bytes, sizeof bytes, 1, stdout) != 1 || fwrite(data, 1, bytes, stdout) != bytes)
    end(EXIT_INPUT, "standard output is closed", NULL);
}

static bool published;

static bool publish(int32_t channel, const uint8_t *data, uint32_t bytes) {
  if (channel != 0 || published) return true;
  published = true;
  writeRecord(data, bytes);
  return true;
}

static void noLog(int32_t level, const char *text, uint32_t bytes) { (void)level, (void)text, (void)bytes; }

static uint64_t noClock(void) { return 0; }

static void step(uint32_t sample) {
  Fault fault = {0};
  if (sample >= samples.count) end(EXIT_INPUT, "no sample of this number", NULL);
  samples.position = sample;
  published = false;
  if (abiStep(&fault) != OM_OK) end(EXIT_MODULE, "step", &fault);
  if (!published) writeRecord((const uint8_t *)"", 0);
}

static void steps(uint32_t count) {
  for (uint32_t sample; count > 0; count--) {
    if (fread(&sample, sizeof sample, 1, stdin) != 1) end(EXIT_INPUT, "fewer samples than announced", NULL);
    step(sample);
  }
}

static void state(void) {
  Fault fault = {0};
  uint8_t *data;
  uint32_t bytes;
  if (abiState(&data, &bytes, &fault) != OM_OK) end(EXIT_MODULE, "state", &fault);
  writeRecord(data, bytes);
}

int main(int argc, char **argv) {
  static Sensor sensor;
  static AbiHost host;
  static AbiConfig config;
  Fault fault = {0};
  File module, file;
  if (argc < 5 || argc > 5 + ABI_MAX_PARAMS)
    end(EXIT_USAGE, "usage: MODULE SAMPLES SEED POOL-KIB [HASH=VALUE …]", NULL);
  if (!fileMap(argv[1], &module) || !fileMap(argv[2], &file)) return EXIT_INPUT;
  if (samplesOpen(&samples, file.data, file.bytes, &fault) != OM_OK) end(EXIT_INPUT, argv[2], &fault);
  config.seed = (uint32_t)strtoul(argv[3], NULL, 10);
  config.params = (uint32_t)(argc - 5);
  for (int i = 5; i < argc; i++)
    if (sscanf(argv[i], "%" SCNu32 "=%" SCNd64, &config.param[i - 5].hash, &config.param[i - 5].value) != 2)
      end(EXIT_USAGE, argv[i], NULL);
  size_t poolBytes = (size_t)strtoul(argv[4], NULL, 10) << 10;
  void *pool = aligned_alloc(16, poolBytes);
  if (pool == NULL) end(EXIT_INPUT, "no memory for the pool", NULL);
  poolInit(pool, poolBytes);
  sensor = samplesSensor(&samples);
  host = (AbiHost){&sensor, publish, noLog, noClock};
  if (abiLoad(module.data, (uint32_t)module.bytes, MODULE_STACK, &host, &fault) != OM_OK)
    end(EXIT_MODULE, "load", &fault);
  if (abiStart(&config, &fault) != OM_OK) end(EXIT_MODULE, "start", &fault);

  uint32_t count;
  while (fread(&count, sizeof count, 1, stdin) == 1) {
    if (count == 0) {
      state();
    } else {
      clock_t started = clock();
      steps(count);
      uint32_t micros = (uint32_t)((double)(clock() - started) * 1e6 / CLOCKS_PER_SEC);
      fwrite(&micros, sizeof micros, 1, stdout);
    }
    if (fflush(stdout) != 0) end(EXIT_INPUT, "standard output is closed", NULL);
  }
  free(pool);
  return 0;
}

// The module ABI (docs/abi.md, version 1) as the firmware sees it: what a module is asked, in the order in which it
// is asked, and what it may ask of its host. One module at a time.
#ifndef OM_ABI_H
#define OM_ABI_H

#include "engine.h"
#include "hal.h"

#define ABI_VERSION 1
#define ABI_MAX_PARAMS 16

/** Entry points, as `where` of an error counts them. */
typedef enum Export {
  EXPORT_ABI = 1,
  EXPORT_CONFIG,
  EXPORT_INITIALIZE,
  EXPORT_INIT,
  EXPORT_STEP,
  EXPORT_MESSAGE,
  EXPORT_SELF_TEST,
  EXPORT_RESTORE,
  EXPORT_COUNT
} Export;

/** What a module's imports reach. */
typedef struct AbiHost {
  const Sensor *sensor;
  /** Channel 0 state record, 1 features: whether the bytes were taken. */
  bool (*publish)(int32_t channel, const uint8_t *data, uint32_t bytes);
  /** UTF-8 text; level 0 error, 1 warning, 2 info, 3 debug. */
  void (*log)(int32_t level, const char *text, uint32_t bytes);
  uint64_t (*millis)(void);
} AbiHost;

/** What the host writes into the configuration block; values are Q32.32. */
typedef struct AbiConfig {
  uint32_t seed;
  uint32_t params;
  struct {
    uint32_t hash;
    int64_t value;
  } param[ABI_MAX_PARAMS];
} AbiConfig;

/** Scans, loads and links a module; a second call replaces it. The bytes and `host` must stay where they are. */
MUST_CHECK Error abiLoad(const uint8_t *wasm, uint32_t bytes, uint32_t stackBytes, const AbiHost *host,
                         Fault *fault);

/** Writes the configuration block and runs `initialize` and `init`. Once for each load. */
MUST_CHECK Error abiStart(const AbiConfig *config, Fault *fault);

MUST_CHECK Error abiStep(Fault *fault);
MUST_CHECK Error abiSelfTest(int32_t *digest, Fault *fault);

/** Copies a message into the module's inbox and calls `message`. */
MUST_CHECK Error abiMessage(const uint8_t *data, uint32_t bytes, Fault *fault);

/** The learned state inside linear memory: its start and length. */
MUST_CHECK Error abiState(uint8_t **data, uint32_t *bytes, Fault *fault);

/** Linear memory that the module was given and leaves idle, for as long as it runs: its start, on an 8-byte boundary, and length. */
uint8_t *abiIdle(uint32_t *bytes);

/** Tells the module that its learned state was overwritten. */
MUST_CHECK Error abiRestore(Fault *fault);

/** Whether a module is loaded and has passed `init`. */
bool abiReady(void);

/** Forgets the module. */
void abiUnload(void);

/** Bytes by part; `linear` is what the module uses once it has said so. */
EngineMemory abiMemory(void);

/** Frames that the module has taken since it was loaded. */
uint32_t abiSamples(void);

/** Names of the import modules that this firmware has; NULL ends the list. */
extern const char *const abiImportModules[];

#ifdef OM_BENCH
/** Told when an entry point is entered and left, by firmware that measures; NULL: nobody is. */
extern void (*abiObserver)(Export export, bool entered);
#endif

/** A module's own exports, for benchmarks: a handle for abiCall, or 0. */
uint32_t abiFind(const char *name, const char *signature);
MUST_CHECK Error abiCall(uint32_t function, int32_t argument, int32_t *result, Fault *fault);

#endif

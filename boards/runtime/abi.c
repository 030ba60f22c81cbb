// The life of a module: scan, load, configuration block, `initialize`, `init`, then steps, messages, state.
#include "abi.h"

#include <string.h>

#include "abi_imports.h"
#include "pool.h"
#include "wasm_scan.h"

// offsets in the configuration block (docs/abi.md)
enum {
  CONFIG_SIZE = 0,
  CONFIG_LIMIT = 4,
  CONFIG_SEED = 8,
  CONFIG_INBOX = 12,
  CONFIG_INBOX_BYTES = 16,
  CONFIG_STATE = 20,
  CONFIG_STATE_BYTES = 24,
  CONFIG_USED = 28,
  CONFIG_PARAMS = 32,
  CONFIG_ENTRIES = 40,
  ENTRY_BYTES = 16
};

static const struct {
  const char *name, *signature;
  bool optional;
} exports[EXPORT_COUNT] = {
    [EXPORT_ABI] = {"abi", "i()", false},
    [EXPORT_CONFIG] = {"config", "i()", false},
    [EXPORT_INITIALIZE] = {"initialize", "v()", false},
    [EXPORT_INIT] = {"init", "v()", false},
    [EXPORT_STEP] = {"step", "v()", false},
    [EXPORT_MESSAGE] = {"message", "v(i)", true},
    [EXPORT_SELF_TEST] = {"selfTest", "i()", false},
    [EXPORT_RESTORE] = {"restore", "v()", false},
};

AbiContext abiContext;

static struct {
  const uint8_t *wasm;
  uint32_t bytes;
  uint32_t handle[EXPORT_COUNT];
  uint32_t config; // address of the block
  bool loaded, ready;
} abi;

#ifdef OM_BENCH
void (*abiObserver)(Export export, bool entered);

static void observe(Export export, bool entered) {
  if (abiObserver != NULL) abiObserver(export, entered);
}
#else
#define observe(export, entered) ((void)0)
#endif

/** Runs engineCall and gives a trap its place: the fault of a host function, or the engine's with the export. */
static Error call(Export export, int32_t argument, int32_t *result, Fault *fault) {
  abiContext.fault.code = OM_OK;
  observe(export, true);
  Error error = engineCall(abi.handle[export], argument, result, fault);
  observe(export, false);
  if (error == OM_OK) return OM_OK;
  if (abiContext.fault.code != OM_OK) {
    *fault = abiContext.fault;
  } else {
    fault->where = export;
  }
  abi.ready = false;
  return (Error)fault->code;
}

static uint32_t configField(uint32_t offset) {
  return (uint32_t)loadI32(&abiContext.memory, abi.config + offset);
}

static void setConfig(uint32_t offset, uint32_t value) {
  storeI32(&abiContext.memory, abi.config + offset, (int32_t)value);
}

static Error findExports(Fault *fault) {
  for (uint32_t e = EXPORT_ABI; e < EXPORT_COUNT; e++) {
    bool there = wasmExportsFunction(abi.wasm, abi.bytes, exports[e].name);
    abi.handle[e] = there ? engineFind(exports[e].name, exports[e].signature) : 0;
    if (abi.handle[e] != 0 || (exports[e].optional && !there)) continue;
    faultSet(fault, OM_MISSING_EXPORT, (int32_t)e, 0, 0);
    faultText(fault, exports[e].name);
    faultText(fault, there ? " must be " : " is not exported: ");
    faultText(fault, exports[e].signature);
    return OM_MISSING_EXPORT;
  }
  return OM_OK;
}

Error abiLoad(const uint8_t *wasm, uint32_t bytes, uint32_t stackBytes, const AbiHost *host, Fault *fault) {
  WasmScan scan;
  abiUnload();
  abi.wasm = wasm;
  abi.bytes = bytes;
  Error error = wasmScan(wasm, bytes, abiImports, abiImportCount, &scan, fault);
  if (error != OM_OK) return error;
  error = engineLoad(wasm, bytes, scan.imports, scan.importCount, scan.dataEnd, scan.memoryBytes, stackBytes,
                     fault);
  if (error != OM_OK) return error;

  abiContext.host = host;
  abiContext.memory.base = engineLinear(&abiContext.memory.length);
  error = findExports(fault);
  if (error != OM_OK) return error;
  int32_t version = 0;
  error = call(EXPORT_ABI, 0, &version, fault);
  if (error != OM_OK) return error;
  if (version != ABI_VERSION) return faultSet(fault, OM_ABI_VERSION, 0, version, ABI_VERSION);
  abi.loaded = true;
  return OM_OK;
}

static Error writeConfig(const AbiConfig *config, Fault *fault) {
  int32_t address = 0;
  Error error = call(EXPORT_CONFIG, 0, &address, fault);
  if (error != OM_OK) return error;
  uint32_t block = (uint32_t)address;
  if ((block & 3) != 0 || !linearHas(&abiContext.memory, block, CONFIG_ENTRIES)) {
    return faultSet(fault, OM_BAD_CONFIG, EXPORT_CONFIG, address, CONFIG_ENTRIES);
  }
  uint32_t size = (uint32_t)loadI32(&abiContext.memory, block + CONFIG_SIZE);
  if (size < CONFIG_ENTRIES || !linearHas(&abiContext.memory, block, size)) {
    return faultSet(fault, OM_BAD_CONFIG, EXPORT_CONFIG, (int32_t)size, CONFIG_ENTRIES);
  }
  abi.config = block; // from here on its fields may be read
  uint32_t room = (size - CONFIG_ENTRIES) / ENTRY_BYTES;
  if (config->params > room) {
    return faultSet(fault, OM_TOO_MANY_PARAMS, 0, (int32_t)config->params, (int32_t)room);
  }
  setConfig(CONFIG_LIMIT, abiContext.memory.length);
  setConfig(CONFIG_SEED, config->seed);
  setConfig(CONFIG_PARAMS, config->params);
  for (uint32_t i = 0; i < config->params; i++) {
    uint32_t entry = abi.config + CONFIG_ENTRIES + i * ENTRY_BYTES;
    storeI32(&abiContext.memory, entry, (int32_t)config->param[i].hash);
    storeI32(&abiContext.memory, entry + 4, 0);
    memcpy(abiContext.memory.base + entry + 8, &config->param[i].value, sizeof(int64_t));
  }
  return OM_OK;
}

Error abiStart(const AbiConfig *config, Fault *fault) {
  if (!abi.loaded) return faultSet(fault, OM_NOT_LOADED, 0, 0, 0);
  abi.loaded = false; // a second start needs a fresh load
  Error error = writeConfig(config, fault);
  if (error == OM_OK) error = call(EXPORT_INITIALIZE, 0, NULL, fault);
  if (error == OM_OK) error = call(EXPORT_INIT, 0, NULL, fault);
  if (error != OM_OK) return error;
  abi.ready = true;
  return OM_OK;
}

/** Runs an entry point of a module that has passed `init`. */
static Error callReady(Export export, int32_t argument, int32_t *result, Fault *fault) {
  if (!abi.ready) return faultSet(fault, OM_NOT_LOADED, 0, 0, 0);
  return call(export, argument, result, fault);
}

Error abiStep(Fault *fault) { return callReady(EXPORT_STEP, 0, NULL, fault); }

Error abiSelfTest(int32_t *digest, Fault *fault) { return callReady(EXPORT_SELF_TEST, 0, digest, fault); }

Error abiRestore(Fault *fault) { return callReady(EXPORT_RESTORE, 0, NULL, fault); }

Error abiMessage(const uint8_t *data, uint32_t bytes, Fault *fault) {
  if (!abi.ready) return faultSet(fault, OM_NOT_LOADED, 0, 0, 0);
  uint32_t inbox = configField(CONFIG_INBOX);
  uint32_t room = configField(CONFIG_INBOX_BYTES);
  if (abi.handle[EXPORT_MESSAGE] == 0 || inbox == 0) return faultSet(fault, OM_NO_INBOX, 0, 0, 0);
  if (bytes > room || !linearHas(&abiContext.memory, inbox, room)) {
    return faultSet(fault, OM_MESSAGE_TOO_LONG, 0, (int32_t)bytes, (int32_t)room);
  }
  memcpy(abiContext.memory.base + inbox, data, bytes);
  return call(EXPORT_MESSAGE, (int32_t)bytes, NULL, fault);
}

Error abiState(uint8_t **data, uint32_t *bytes, Fault *fault) {
  // a module that trapped keeps its state readable: that is what a person wants to look at then
  if (abi.config == 0) return faultSet(fault, OM_NOT_LOADED, 0, 0, 0);
  uint32_t at = configField(CONFIG_STATE);
  uint32_t length = configField(CONFIG_STATE_BYTES);
  if (at == 0 || !linearHas(&abiContext.memory, at, length)) return faultSet(fault, OM_NO_REGION, 0, 0, 0);
  *data = abiContext.memory.base + at;
  *bytes = length;
  return OM_OK;
}

uint8_t *abiIdle(uint32_t *bytes) {
  uint32_t used = abi.config == 0 ? 0 : (configField(CONFIG_USED) + 7) & ~7u;
  // a module that does not say how much it uses leaves nothing
  bool idle = used != 0 && used < abiContext.memory.length;
  *bytes = idle ? abiContext.memory.length - used : 0;
  return abiContext.memory.base + used;
}

bool abiReady(void) { return abi.ready; }

void abiUnload(void) {
  engineUnload();
  memset(&abi, 0, sizeof abi);
  memset(&abiContext, 0, sizeof abiContext);
}

EngineMemory abiMemory(void) {
  EngineMemory memory = engineMemory();
  uint32_t used = abi.config == 0 ? 0 : configField(CONFIG_USED);
  if (used != 0 && used < memory.linear) memory.linear = used;
  return memory;
}

uint32_t abiSamples(void) { return abiContext.samples; }

uint32_t abiFind(const char *name, const char *signature) {
  return wasmExportsFunction(abi.wasm, abi.bytes, name) ? engineFind(name, signature) : 0;
}

Error abiCall(uint32_t function, int32_t argument, int32_t *result, Fault *fault) {
  abiContext.fault.code = OM_OK;
  Error error = engineCall(function, argument, result, fault);
  if (error != OM_OK && abiContext.fault.code != OM_OK) *fault = abiContext.fault;
  return error;
}

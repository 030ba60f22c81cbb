// Modules as a device loads them. The engine has no validator (wasm3 0.5.0): devices run what was built and admitted by
// the host. So what the scan lets through is parsed, linked and compiled in a bounded pool, but run only if it is the
// counter module to the byte.
#include "abi.h"
#include "abi_imports.h"
#include "board.h"
#include "fuzz.h"
#include "pool.h"
#include "wasm_scan.h"

enum { STEPS = 3 };

static bool publish(int32_t channel, const uint8_t *data, uint32_t bytes) {
  (void)data;
  return channel == 0 && bytes <= 128;
}

static void takeLog(int32_t level, const char *text, uint32_t bytes) {
  (void)text;
  PROMISE(level >= 0 && level <= 3 && bytes <= 160, "a log line is out of range");
}

static uint64_t millis(void) { return 0; }

static void run(const Board *board) {
  static AbiHost host = {NULL, publish, takeLog, millis};
  static const AbiConfig config = {.seed = 1};
  Fault fault;
  host.sensor = board->sensor;
  Error error = abiLoad(board->module, board->moduleBytes, board->moduleStack, &host, &fault);
  if (error == OM_OK) error = abiStart(&config, &fault);
  for (uint32_t i = 0; i < STEPS && error == OM_OK; i++) error = abiStep(&fault);
  PROMISE(error == OM_OK, "the counter module does not run");
  abiUnload();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char *const exports[][2] = {
      {"abi", "i()"}, {"config", "i()"}, {"step", "v()"}, {"message", "v(i)"}, {"memory", "v()"}};
  const Board *board = fuzzBoard();
  Input in = {data, data + bytes};
  size_t length;
  uint8_t *wasm = inputBlock(&in, bytes, &length);
  poolInit(board->pool, board->poolBytes);
  engineSetStackBound(board->stackBound);
  WasmScan scan;
  Fault fault;
  Error error = wasmScan(wasm, (uint32_t)length, abiImports, abiImportCount, &scan, &fault);
  PROMISE(error == OM_OK || error == (Error)fault.code, "the scan's error is not the one in its fault");
  if (error == OM_OK) {
    PROMISE(scan.importCount <= SCAN_MAX_IMPORTS && scan.dataEnd <= scan.memoryBytes,
            "the scan is out of range");
    error = engineLoad(wasm, (uint32_t)length, scan.imports, scan.importCount, scan.dataEnd, scan.memoryBytes,
                       board->moduleStack, &fault);
    PROMISE(error == OM_OK || error == (Error)fault.code, "the engine's error is not the one in its fault");
    PROMISE(poolUsed() <= poolSize(), "more of the pool is used than there is");
  }
  for (size_t i = 0; error == OM_OK && i < sizeof exports / sizeof exports[0]; i++) {
    if (wasmExportsFunction(wasm, (uint32_t)length, exports[i][0]))
      (void)engineFind(exports[i][0], exports[i][1]);
  }
  engineUnload();
  if (length == board->moduleBytes && memcmp(wasm, board->module, length) == 0) run(board);
  free(wasm);
  return 0;
}

// What the firmware reads of a module itself, before the engine sees it: imports against the allow-list, the
// memory's limits, where its data ends, and the names of its exports. Function bodies are the engine's business.
#ifndef OM_WASM_SCAN_H
#define OM_WASM_SCAN_H

#include "engine.h"

#define SCAN_MAX_IMPORTS 40

typedef struct WasmScan {
  const EngineImport *imports[SCAN_MAX_IMPORTS]; // in the module's order, found in the allow-list
  uint32_t importCount;
  uint32_t memoryBytes; // minimum = maximum
  uint32_t dataEnd;     // first byte after the last active data segment
} WasmScan;

/**
 * Reads the module's sections.
 * Errors: bad-module (where: byte offset), unknown-import (text: its name), memory-not-fixed, start-section.
 */
MUST_CHECK Error wasmScan(const uint8_t *wasm, uint32_t bytes, const EngineImport *allowed,
                          uint32_t allowedCount, WasmScan *scan, Fault *fault);

/** Whether a module that passed the scan exports a function of this name. */
bool wasmExportsFunction(const uint8_t *wasm, uint32_t bytes, const char *name);

#endif

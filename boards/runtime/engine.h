// The little that the firmware asks of a WebAssembly engine. One engine is linked in (engine_wasm3.c); one module
// is loaded at a time, in the pool.
#ifndef OM_ENGINE_H
#define OM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"

/**
 * A host function. `slots` are 64 bits each: the result first if there is one, then the arguments. Returns false
 * to end the module's call with a trap.
 */
typedef bool (*EngineHostFunction)(uint64_t *slots);

/** A name that a module may import. Signature: result, then arguments in parentheses; v none, i i32, I i64. */
typedef struct EngineImport {
  const char *module, *name, *signature;
  EngineHostFunction call;
} EngineImport;

/** Bytes in use, by part. */
typedef struct EngineMemory {
  uint32_t linear;   // given to the module
  uint32_t metacode; // compiled code
  uint32_t stack;    // the module's own stack
  uint32_t other;    // tables and descriptors
} EngineMemory;

/** Name and version, such as `wasm3-0.5.0`. */
const char *engineName(void);

/**
 * Resets the pool, then loads, links and compiles a module; the pool is sealed afterwards, so that running
 * allocates nothing. The bytes must stay where they are. Linear memory gets what `linearMax` and the pool allow,
 * at least `linearMin` (where the data segments end), zeroed, its data on a 16-byte boundary.
 * Errors: bad-module, out-of-memory, bad-import-type, compile; the fault's text is the engine's own sentence.
 */
MUST_CHECK Error engineLoad(const uint8_t *wasm, uint32_t bytes, const EngineImport *const *imports,
                            uint32_t importCount, uint32_t linearMin, uint32_t linearMax, uint32_t stackBytes,
                            Fault *fault);

/**
 * The lowest address that the C stack may reach while a module runs; NULL (the default) sets no bound. Calls between the
 * module's functions nest on the C stack, and trap with stack-overflow at the bound.
 */
void engineSetStackBound(const void *lowest);

/** Forgets the module. */
void engineUnload(void);

/** A handle of an exported function with this signature, or 0. */
uint32_t engineFind(const char *name, const char *signature);

/**
 * Calls an export with up to one i32 argument; its i32 result goes to `result` unless that is NULL.
 * Returns OM_OK, or the trap's code with the engine's sentence as text. A trap that a host function asked for
 * returns OM_TRAP with an empty text.
 */
MUST_CHECK Error engineCall(uint32_t function, int32_t argument, int32_t *result, Fault *fault);

#ifdef OM_BENCH
/** Whether engineCall sets the markers that an emulator plugin counts between, around the engine's own call. */
extern bool engineMarked;
#endif

/** Start of linear memory and its real length in bytes; NULL and 0 without a module. */
uint8_t *engineLinear(uint32_t *length);

EngineMemory engineMemory(void);

#endif

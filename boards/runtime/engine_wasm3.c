// wasm3 behind the engine interface. Whatever needs one of wasm3's private headers, or differs between its
// versions (0.5.0 and 0.9), is here and nowhere else.
#include "engine.h"

#include <string.h>

#include "m3_env.h"
#include "pool.h"
#include "wasm3.h"

#if M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR < 5
#error "wasm3 0.5.0 or later is needed: set WASM3_DIR to such a tree"
#endif

#define MAX_FUNCTIONS 24

// what rounding linear memory's place and size may cost
#define PLACEMENT_SLACK 64u

static struct {
  IM3Environment environment;
  IM3Runtime runtime;
  IM3Module module;
  IM3Function functions[MAX_FUNCTIONS];
  uint32_t functionCount;
  uint32_t stackBytes;
} engine;

static const char hostTrap[] = "host";
static const char nestedTooDeep[] = "blocks are nested too deep for the C stack";

// survives a change of the module
static const void *stackBound;

void engineSetStackBound(const void *lowest) { stackBound = lowest; }

/** wasm3 asks this at each call of a function of the module. */
M3Result m3_Yield(void) {
  return (const void *)__builtin_frame_address(0) < stackBound ? m3Err_trapStackOverflow : m3Err_none;
}

/** wasm3's compiler asks this for each opcode, in its place: it calls itself for each block within a block. */
M3Result octomoteReadOpcode(m3opcode_t *opcode, bytes_t *bytes, cbytes_t end) {
  if ((const void *)__builtin_frame_address(0) < stackBound) return nestedTooDeep;
  return Read_opcode(opcode, bytes, end);
}

/** In place of wasm3's, which follows what could not be allocated: a failed load resets the whole pool anyway. */
void m3_FreeModule(IM3Module module) { (void)module; }

const char *engineName(void) { return "wasm3-" M3_VERSION; }

/** The engine's sentence as an error of ours. */
static Error translate(M3Result sentence, Error otherwise, Fault *fault) {
  static const struct {
    const M3Result *sentence;
    Error code;
  } table[] = {
      {&m3Err_trapUnreachable, OM_UNREACHABLE},
      {&m3Err_trapOutOfBoundsMemoryAccess, OM_MEMORY_ACCESS},
      {&m3Err_trapDivisionByZero, OM_DIVIDE_BY_ZERO},
      {&m3Err_trapIntegerOverflow, OM_INTEGER_OVERFLOW},
      {&m3Err_trapStackOverflow, OM_STACK_OVERFLOW},
      {&m3Err_trapIndirectCallTypeMismatch, OM_BAD_INDIRECT_CALL},
      {&m3Err_trapTableIndexOutOfRange, OM_BAD_INDIRECT_CALL},
      {&m3Err_trapTableElementIsNull, OM_BAD_INDIRECT_CALL},
      {&m3Err_mallocFailed, OM_OUT_OF_MEMORY},
      {&m3Err_mallocFailedCodePage, OM_OUT_OF_MEMORY},
  };
  if (sentence == hostTrap) return faultSet(fault, OM_TRAP, 0, 0, 0);
  Error code = otherwise;
  for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (sentence == *table[i].sentence) code = table[i].code;
  }
  if (code == OM_OUT_OF_MEMORY) {
    faultSet(fault, code, 0, (int32_t)poolUsed(), (int32_t)poolSize());
  } else {
    faultSet(fault, code, 0, 0, 0);
  }
  faultText(fault, sentence);
  return code;
}

/** Every import arrives here; its EngineImport is the user data. */
static const void *trampoline(IM3Runtime runtime, IM3ImportContext context, uint64_t *slots, void *memory) {
  (void)runtime;
  (void)memory;
  const EngineImport *import = context->userdata;
  return import->call(slots) ? m3Err_none : hostTrap;
}

static Error loadOnce(const uint8_t *wasm, uint32_t bytes, const EngineImport *const *imports,
                      uint32_t importCount, uint32_t linear, uint32_t stackBytes, Fault *fault) {
  engineUnload();
  engine.stackBytes = stackBytes;
  engine.environment = m3_NewEnvironment();
  if (engine.environment == NULL) return translate(m3Err_mallocFailed, OM_OUT_OF_MEMORY, fault);
  engine.runtime = m3_NewRuntime(engine.environment, stackBytes, NULL);
  if (engine.runtime == NULL) return translate(m3Err_mallocFailed, OM_OUT_OF_MEMORY, fault);

  M3Result sentence = m3_ParseModule(engine.environment, &engine.module, wasm, bytes);
  if (sentence != m3Err_none) return translate(sentence, OM_BAD_MODULE, fault);
  engine.runtime->memoryLimit = linear;
  poolExpect(linear + sizeof(M3MemoryHeader), sizeof(M3MemoryHeader));
  sentence = m3_LoadModule(engine.runtime, engine.module);
  if (sentence != m3Err_none) return translate(sentence, OM_BAD_MODULE, fault);

  for (uint32_t i = 0; i < importCount; i++) {
    const EngineImport *import = imports[i];
    sentence = m3_LinkRawFunctionEx(engine.module, import->module, import->name, import->signature,
                                    trampoline, import);
    if (sentence == m3Err_none) continue;
    translate(sentence, OM_BAD_IMPORT_TYPE, fault);
    if (fault->code == OM_BAD_IMPORT_TYPE) {
      faultSet(fault, OM_BAD_IMPORT_TYPE, (int32_t)i, 0, 0);
      faultText(fault, import->module);
      faultText(fault, ".");
      faultText(fault, import->name);
      faultText(fault, " must be ");
      faultText(fault, import->signature);
      faultText(fault, ": ");
      faultText(fault, sentence);
    }
    return (Error)fault->code;
  }
  sentence = m3_CompileModule(engine.module);
  if (sentence != m3Err_none) return translate(sentence, OM_COMPILE, fault);
  return OM_OK;
}

Error engineLoad(const uint8_t *wasm, uint32_t bytes, const EngineImport *const *imports,
                 uint32_t importCount, uint32_t linearMin, uint32_t linearMax, uint32_t stackBytes,
                 Fault *fault) {
  // What is left for linear memory is known only when everything else has been placed: the first pass, with as
  // little of it as the data segments allow, measures; the second gives it the rest.
  uint32_t least = linearMin < 16 ? 16 : (linearMin + 15) & ~15u;
  Error error = loadOnce(wasm, bytes, imports, importCount, least, stackBytes, fault);
  if (error == OM_OK) {
    size_t linear = least;
    if (poolSize() > poolPeak() + PLACEMENT_SLACK) linear += poolSize() - poolPeak() - PLACEMENT_SLACK;
    linear &= ~(size_t)15;
    if (linear > linearMax) linear = linearMax;
    error = loadOnce(wasm, bytes, imports, importCount, (uint32_t)linear, stackBytes, fault);
  }
  if (error != OM_OK) {
    engineUnload();
    return error;
  }
  poolSeal();
  return OM_OK;
}

void engineUnload(void) {
  poolReset();
  memset(&engine, 0, sizeof engine);
}

/** Whether a function's type is the one that `signature` spells. */
static bool hasSignature(IM3Function function, const char *signature) {
  uint32_t results = 0, arguments = 0;
  bool inArguments = false;
  for (const char *s = signature; *s != 0; s++) {
    if (*s == '(') inArguments = true;
    if (*s != 'i') continue;
    M3ValueType type =
        inArguments ? m3_GetArgType(function, arguments++) : m3_GetRetType(function, results++);
    if (type != c_m3Type_i32) return false;
  }
  return m3_GetRetCount(function) == results && m3_GetArgCount(function) == arguments;
}

uint32_t engineFind(const char *name, const char *signature) {
  IM3Function function = NULL;
  if (engine.runtime == NULL || engine.functionCount == MAX_FUNCTIONS) return 0;
  if (m3_FindFunction(&function, engine.runtime, name) != m3Err_none || function == NULL) return 0;
  if (!hasSignature(function, signature)) return 0;
  engine.functions[engine.functionCount++] = function;
  return engine.functionCount;
}

#ifdef OM_BENCH
bool engineMarked;

/** m3_Call between markers: mov r10, r10 and mov r11, r11. */
static M3Result callFunction(IM3Function function, uint32_t count, const void *arguments[]) {
  if (!engineMarked) return m3_Call(function, count, arguments);
  __asm__ volatile(".short 0x46d2" ::: "memory");
  M3Result sentence = m3_Call(function, count, arguments);
  __asm__ volatile(".short 0x46db" ::: "memory");
  return sentence;
}
#else
static M3Result callFunction(IM3Function function, uint32_t count, const void *arguments[]) {
  return m3_Call(function, count, arguments);
}
#endif

Error engineCall(uint32_t handle, int32_t argument, int32_t *result, Fault *fault) {
  if (handle == 0 || handle > engine.functionCount) return faultSet(fault, OM_MISSING_EXPORT, 0, 0, 0);
  IM3Function function = engine.functions[handle - 1];
  const void *arguments[1] = {&argument};
  M3Result sentence = callFunction(function, m3_GetArgCount(function), arguments);
  if (sentence != m3Err_none) return translate(sentence, OM_TRAP, fault);
  if (result != NULL) {
    const void *results[1] = {result};
    sentence = m3_GetResults(function, 1, results);
    if (sentence != m3Err_none) return translate(sentence, OM_TRAP, fault);
  }
  return OM_OK;
}

uint8_t *engineLinear(uint32_t *length) {
  *length = 0;
  if (engine.module == NULL) return NULL;
#if M3_VERSION_MAJOR > 0 || M3_VERSION_MINOR >= 9
  size_t bytes = 0;
  uint8_t *memory = m3_GetMemory(engine.module, &bytes, 0);
  *length = (uint32_t)bytes;
  return memory;
#else
  return m3_GetMemory(engine.runtime, length, 0);
#endif
}

static uint32_t pageBytes(const M3CodePage *page) {
  uint32_t bytes = 0;
  for (; page != NULL; page = page->info.next) {
    bytes += (uint32_t)(sizeof(M3CodePageHeader) + page->info.numLines * sizeof(code_t));
  }
  return bytes;
}

EngineMemory engineMemory(void) {
  EngineMemory memory = {0, 0, 0, 0};
  if (engine.runtime == NULL) return memory;
  (void)engineLinear(&memory.linear);
  memory.metacode = pageBytes(engine.runtime->pagesOpen) + pageBytes(engine.runtime->pagesFull) +
                    pageBytes(engine.environment->pagesReleased);
  memory.stack = engine.stackBytes;
  memory.other = (uint32_t)poolUsed() - memory.linear - memory.metacode - memory.stack;
  return memory;
}

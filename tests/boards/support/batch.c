// A firmware for tests: makes the calls of intrinsics that it finds in external RAM, one after the other on a memory of its
// own, without a module, and tells over semihosting what each left: `trap code where got want`, or `done result hash`.
#include "abi_imports.h"
#include "semihosting.h"

/** As tests/boards/support/batch.ts writes it; arguments and the memory's first bytes follow. */
typedef struct Call {
  char name[32];
  uint32_t arguments, bytes;
} Call;

enum { MEMORY = 65536, BASE = 16384, AREA = 4096, SLOTS = 24 };

/** The pool, which no engine uses here. */
extern uint8_t __pool_start[];
static uint8_t *const memory = __pool_start;

static void printNumbers(const char *what, const int32_t *numbers, int count) {
  semihostPrint(what);
  while (count-- > 0) {
    char digits[10], *at = digits + sizeof digits - 1;
    *at = 0;
    uint32_t rest = (uint32_t)*numbers++;
    // hexadecimal: no sign, no division
    do *--at = "0123456789abcdef"[rest & 15];
    while ((rest >>= 4) != 0);
    semihostPrint(" ");
    semihostPrint(at);
  }
  semihostPrint("\n");
}

static const EngineImport *find(const char *name) {
  for (uint32_t i = 0; i < abiImportCount; i++) {
    if (strcmp(abiImports[i].name, name) == 0) return &abiImports[i];
  }
  semihostPrint("no intrinsic of this name: ");
  semihostPrint(name);
  semihostExit(1);
}

int main(void) {
  const uint8_t *at = (const uint8_t *)(uintptr_t)0x21000000u;
  uint32_t count;
  memcpy(&count, at, sizeof count);
  at += sizeof count;
  for (; count > 0; count--) {
    Call call;
    memcpy(&call, at, sizeof call);
    at += sizeof call;
    const EngineImport *import = find(call.name);
    uint64_t slots[SLOTS] = {0};
    uint64_t *to = slots + (import->signature[0] == 'v' ? 0 : 1);
    for (uint32_t i = 0; i < call.arguments; i++, at += sizeof(uint32_t)) {
      uint32_t argument;
      memcpy(&argument, at, sizeof argument);
      *to++ = argument;
    }
    memset(memory, 0, MEMORY);
    memcpy(memory + BASE, at, call.bytes);
    at += (call.bytes + 3) & ~3u;
    memset(&abiContext, 0, sizeof abiContext);
    abiContext.memory = (Linear){memory, MEMORY};
    if (!import->call(slots)) {
      const Fault *fault = &abiContext.fault;
      printNumbers("trap", (const int32_t[]){fault->code, fault->where, fault->got, fault->want}, 4);
      continue;
    }
    uint32_t hash = 0x811c9dc5u;
    for (uint32_t i = 0; i < AREA; i++) hash = (hash ^ memory[BASE + i]) * 0x01000193u;
    int32_t result = import->signature[0] == 'v' ? 0 : (int32_t)slots[0];
    printNumbers("done", (const int32_t[]){result, (int32_t)hash}, 2);
  }
  semihostExit(0);
}

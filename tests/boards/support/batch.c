// A firmware for tests: makes the calls of intrinsics that it finds in its input, one after the other on a memory of its own, without
// a module, and tells what each left: `trap code where got want`, or `done result hash`. batch_host.h gives input and memory: of an
// emulated board external RAM and semihosting, of this machine a file.
#include "abi_imports.h"
#include "batch_host.h"

/** As tests/boards/support/batch.ts writes them: the batch's header, and a call's; arguments and the memory's first bytes follow. */
typedef struct Batch {
  uint32_t count, memory, base, area;
} Batch;
typedef struct Call {
  char name[32];
  uint32_t arguments, bytes;
} Call;

enum { SLOTS = 24 };

static void printNumbers(const char *what, const int32_t *numbers, int count) {
  batchPrint(what);
  while (count-- > 0) {
    char digits[10], *at = digits + sizeof digits - 1;
    *at = 0;
    uint32_t rest = (uint32_t)*numbers++;
    // hexadecimal: no sign, no division
    do *--at = "0123456789abcdef"[rest & 15];
    while ((rest >>= 4) != 0);
    batchPrint(" ");
    batchPrint(at);
  }
  batchPrint("\n");
}

static const EngineImport *find(const char *name) {
  for (uint32_t i = 0; i < abiImportCount; i++) {
    if (strcmp(abiImports[i].name, name) == 0) return &abiImports[i];
  }
  batchPrint("no intrinsic of this name: ");
  batchPrint(name);
  batchExit(1);
}

int main(int argc, char **argv) {
  const uint8_t *at = batchInput(argc, argv);
  Batch batch;
  memcpy(&batch, at, sizeof batch);
  at += sizeof batch;
  uint8_t *memory = batchMemory(batch.memory);
  for (; batch.count > 0; batch.count--) {
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
    memset(memory, 0, batch.memory);
    memcpy(memory + batch.base, at, call.bytes);
    at += (call.bytes + 3) & ~3u;
    memset(&abiContext, 0, sizeof abiContext);
    abiContext.memory = (Linear){memory, batch.memory};
    if (!import->call(slots)) {
      const Fault *fault = &abiContext.fault;
      printNumbers("trap", (const int32_t[]){fault->code, fault->where, fault->got, fault->want}, 4);
      continue;
    }
    uint32_t hash = 0x811c9dc5u;
    for (uint32_t i = 0; i < batch.area; i++) hash = (hash ^ memory[batch.base + i]) * 0x01000193u;
    int32_t result = import->signature[0] == 'v' ? 0 : (int32_t)slots[0];
    printNumbers("done", (const int32_t[]){result, (int32_t)hash}, 2);
  }
  batchExit(0);
}

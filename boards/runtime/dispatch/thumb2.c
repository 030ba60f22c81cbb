// The ways into wasm3's operations and their compiler from code that follows the procedure call standard: what they use of
// r4, r5, r6, r8 and r9 is saved here.
#include "m3_compile.h"
#include "m3_env.h"

typedef struct Words {
  uint32_t a, b, c, d;
} Words;

/** Calls `function` with up to four words and `memory` in r9; its result is a word. */
static uint32_t enter(const void *function, Words words, M3MemoryHeader *memory) {
  register uint32_t r0 __asm__("r0") = words.a;
  register uint32_t r1 __asm__("r1") = words.b;
  register uint32_t r2 __asm__("r2") = words.c;
  register uint32_t r3 __asm__("r3") = words.d;
  __asm__ volatile("mov r9, %[memory]\n\tblx %[function]"
                   : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
                   : [function] "r"(function), [memory] "r"(memory)
                   : "r4", "r5", "r6", "r8", "r9", "ip", "lr", "memory", "cc");
  return r0;
}

m3ret_t RunCode(pc_t code, m3stack_t stack, M3MemoryHeader *memory, m3reg_t value) {
  const Words words = {(uint32_t)(code + 1), (uint32_t)stack, (uint32_t)value, (uint32_t)(value >> 32)};
  return (m3ret_t)enter(*code, words, memory);
}

M3Result octomoteCompileFunction(IM3Function function);
M3Result octomoteCompileRawFunction(IM3Module module, IM3Function function, const void *call,
                                    const void *userdata);
M3Result octomoteCompileBlock(IM3Compilation compilation, IM3FuncType type, m3opcode_t opcode);
M3Result octomoteCompileBlockStatements(IM3Compilation compilation);

M3Result CompileFunction(IM3Function function) {
  const Words words = {(uint32_t)function, 0, 0, 0};
  return (M3Result)enter(octomoteCompileFunction, words, NULL);
}

M3Result CompileRawFunction(IM3Module module, IM3Function function, const void *call, const void *userdata) {
  const Words words = {(uint32_t)module, (uint32_t)function, (uint32_t)call, (uint32_t)userdata};
  return (M3Result)enter(octomoteCompileRawFunction, words, NULL);
}

M3Result CompileBlock(IM3Compilation compilation, IM3FuncType type, m3opcode_t opcode) {
  const Words words = {(uint32_t)compilation, (uint32_t)type, opcode, 0};
  return (M3Result)enter(octomoteCompileBlock, words, NULL);
}

M3Result CompileBlockStatements(IM3Compilation compilation) {
  const Words words = {(uint32_t)compilation, 0, 0, 0};
  return (M3Result)enter(octomoteCompileBlockStatements, words, NULL);
}

// wasm3 0.5.0's dispatch for 32-bit Arm with Thumb-2. Its operations pass (program counter, stack, memory, i64 register)
// to each other; by the procedure call standard an i64 takes an even pair of registers, so that the fourth argument
// goes through memory, twice in each operation, and r4 … are saved to make room. Here
//
//     r0 program counter    r1 stack    r2, r3 the i64 register    r9 memory    r4, r5, r6, r8 free for all
//
// The operations that kernels spend their time in are those of dispatch/thumb2_ops.c, the rest wasm3's own (m3_exec.h, as
// it is). Since r4, r5, r6, r8 and r9 are not kept, whatever enters from outside does so by dispatch/thumb2.c.
//
// Included before everything else in each of wasm3's own files; OM_DISPATCH_INSIDE marks the one that has the operations
// (m3_compile.c), which is compiled with -fcall-used-r4 and so on.
#ifndef OM_DISPATCH_THUMB2_H
#define OM_DISPATCH_THUMB2_H

// in place of wasm3's header of this name
#define m3_exec_defs_h

#include "m3_core.h"

#if !defined(__thumb2__) || !defined(__GNUC__) || defined(__clang__)
#error "this dispatch is for gcc and Thumb-2: leave \"dispatch\" out of board.json"
#endif
#if d_m3HasFloat
#error "this dispatch has no register for floating point: build wasm3 without"
#endif

typedef m3ret_t (*IM3Operation)(pc_t, m3stack_t, m3reg_t);

#define m3MemData(mem) ((u8 *)((M3MemoryHeader *)(mem) + 1))
#define m3MemRuntime(mem) (((M3MemoryHeader *)(mem))->runtime)
#define m3MemInfo(mem) (&((M3MemoryHeader *)(mem))->runtime->memory)

#define d_m3OpDefaultArgs 0

/** Runs from `code` on until it returns. */
m3ret_t RunCode(pc_t code, m3stack_t stack, M3MemoryHeader *memory, m3reg_t value);

#ifdef OM_DISPATCH_INSIDE

register M3MemoryHeader *octomoteMemory __asm__("r9");
#define _mem octomoteMemory

#define d_m3OpSig pc_t _pc, m3stack_t _sp, m3reg_t _r0
#define d_m3OpArgs _sp, _r0
#define d_m3OpAllArgs _pc, _sp, _r0
#define d_m3ClearRegisters _r0 = 0;
#define d_m3RetSig static inline m3ret_t
// weak: thumb2_ops.c has some of them
#define d_m3Op(NAME) __attribute__((weak)) m3ret_t op_##NAME(d_m3OpSig)

#define nextOpImpl() ((IM3Operation)(*_pc))(_pc + 1, d_m3OpArgs)
#define jumpOpImpl(PC) ((IM3Operation)(*PC))(PC + 1, d_m3OpArgs)
#define nextOpDirect() return nextOpImpl()
#define jumpOpDirect(PC) return jumpOpImpl((pc_t)(PC))

// wasm3 defines Call with this signature and calls it with the memory as third argument of four
#define Call(...) OM_CALL_CHOOSE(__VA_ARGS__, OM_CALL_4, OM_CALL_3)(__VA_ARGS__)
#define OM_CALL_CHOOSE(a, b, c, d, e, ...) e
#define OM_CALL_3(a, b, c) octomoteCall(a, b, c)
#define OM_CALL_4(pc, sp, mem, value) octomoteCall(pc, sp, value)

// what others call goes by a veneer of the same name
#define CompileFunction octomoteCompileFunction
#define CompileRawFunction octomoteCompileRawFunction
#define CompileBlock octomoteCompileBlock
#define CompileBlockStatements octomoteCompileBlockStatements

#define M3_COMPILE_OPCODES
#include "m3_exec.h"

#endif
#endif

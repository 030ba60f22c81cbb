// The operations that kernels spend their time in, one by one in Thumb-2 instead of what gcc makes of wasm3's C: it moves the
// i64 register about, loads 64-bit slots in halves and tests bounds in 64 bits. They take the place of wasm3's (weak)
// operations of the same names; every other operation is wasm3's own. What each does is what m3_exec.h says of it, and
// tests/boards/dispatch.test.ts compares each with V8.
//
// Registers as in thumb2.h: r0 program counter, r1 stack, r2 and r3 value, r9 memory; r4, r5, r6, r8 and ip are scratch, r7,
// r10 and r11 are not touched. An operation's words are its immediates, then the next operation, which goes to ip. The
// upper half of the value is left as it is by results of 32 bits: whoever reads such a value reads its lower half.
#include "m3_env.h"

register M3MemoryHeader *octomoteMemory __asm__("r9");

// naked: arguments are where the registers above say
#define OP(NAME, BODY)                                                                                       \
  __attribute__((naked)) m3ret_t op_##NAME(void) { __asm__ volatile(BODY "bx ip\n"); }

// Words of the operation: immediates to r4, r5, r6, the next operation to ip.
#define WORDS_0 "ldr ip, [r0], #4\n"
#define WORDS_1 "ldrd r4, ip, [r0], #8\n"
#define WORDS_2 "ldmia r0!, {r4, r5, ip}\n"
#define WORDS_3 "ldmia r0!, {r4, r5, r6, ip}\n"

// A slot's content or its address, by the slot's number.
#define SLOT(TO, NUMBER) "ldr " TO ", [r1, " NUMBER ", lsl #2]\n"
#define SLOT_PUT(FROM, NUMBER) "str " FROM ", [r1, " NUMBER ", lsl #2]\n"
#define SLOT_ADDRESS(TO, NUMBER) "add " TO ", r1, " NUMBER ", lsl #2\n"

// ---- 32 bits: r2 = A op B. rs: slot op value; sr: value op slot; ss: second slot op first.

#define OPERATION32_COMMUTATIVE(NAME, COMPUTE)                                                               \
  OP(NAME##_rs, WORDS_1 SLOT("r4", "r4") COMPUTE("r4", "r2"))                                                \
  OP(NAME##_ss, WORDS_2 SLOT("r4", "r4") SLOT("r5", "r5") COMPUTE("r5", "r4"))
#define OPERATION32(NAME, COMPUTE)                                                                           \
  OPERATION32_COMMUTATIVE(NAME, COMPUTE)                                                                     \
  OP(NAME##_sr, WORDS_1 SLOT("r4", "r4") COMPUTE("r2", "r4"))

#define ADD(A, B) "add r2, " A ", " B "\n"
#define SUBTRACT(A, B) "sub r2, " A ", " B "\n"
#define MULTIPLY(A, B) "mul r2, " A ", " B "\n"
#define AND(A, B) "and r2, " A ", " B "\n"
#define OR(A, B) "orr r2, " A ", " B "\n"
#define XOR(A, B) "eor r2, " A ", " B "\n"
// Arm shifts by the lower 8 bits of the count, WebAssembly by the lower 5
#define SHIFT32(BY) "and r6, " BY ", #31\n"
#define LEFT(A, B) SHIFT32(B) "lsl r2, " A ", r6\n"
#define RIGHT(A, B) SHIFT32(B) "asr r2, " A ", r6\n"
#define RIGHT_U(A, B) SHIFT32(B) "lsr r2, " A ", r6\n"

#define TRUTH(IF, IF_NOT) "ite " IF "\nmov" IF " r2, #1\nmov" IF_NOT " r2, #0\n"
#define EQUAL(A, B) "sub r2, " A ", " B "\nclz r2, r2\nlsr r2, r2, #5\n"
#define NOT_EQUAL(A, B) "subs r2, " A ", " B "\nit ne\nmovne r2, #1\n"
#define LESS(A, B) "cmp " A ", " B "\n" TRUTH("lt", "ge")
#define GREATER(A, B) "cmp " A ", " B "\n" TRUTH("gt", "le")
#define LESS_EQUAL(A, B) "cmp " A ", " B "\n" TRUTH("le", "gt")
#define GREATER_EQUAL(A, B) "cmp " A ", " B "\n" TRUTH("ge", "lt")
#define BELOW(A, B) "cmp " A ", " B "\n" TRUTH("lo", "hs")
#define ABOVE(A, B) "cmp " A ", " B "\n" TRUTH("hi", "ls")
#define BELOW_EQUAL(A, B) "cmp " A ", " B "\n" TRUTH("ls", "hi")
#define ABOVE_EQUAL(A, B) "cmp " A ", " B "\n" TRUTH("hs", "lo")

OPERATION32_COMMUTATIVE(i32_Add, ADD)
OPERATION32_COMMUTATIVE(i32_Multiply, MULTIPLY)
OPERATION32(i32_Subtract, SUBTRACT)
OPERATION32_COMMUTATIVE(u32_And, AND)
OPERATION32_COMMUTATIVE(u32_Or, OR)
OPERATION32_COMMUTATIVE(u32_Xor, XOR)
OPERATION32(u32_ShiftLeft, LEFT)
OPERATION32(i32_ShiftRight, RIGHT)
OPERATION32(u32_ShiftRight, RIGHT_U)
OPERATION32_COMMUTATIVE(i32_Equal, EQUAL)
OPERATION32_COMMUTATIVE(i32_NotEqual, NOT_EQUAL)
OPERATION32(i32_LessThan, LESS)
OPERATION32(i32_GreaterThan, GREATER)
OPERATION32(i32_LessThanOrEqual, LESS_EQUAL)
OPERATION32(i32_GreaterThanOrEqual, GREATER_EQUAL)
OPERATION32(u32_LessThan, BELOW)
OPERATION32(u32_GreaterThan, ABOVE)
OPERATION32(u32_LessThanOrEqual, BELOW_EQUAL)
OPERATION32(u32_GreaterThanOrEqual, ABOVE_EQUAL)

// ---- 64 bits: (r2, r3) = A op B, each given as its two registers.

#define SLOT64_AND_VALUE WORDS_1 SLOT_ADDRESS("r4", "r4") "ldrd r4, r5, [r4]\n"
#define SLOTS64                                                                                              \
  WORDS_2 SLOT_ADDRESS("r4", "r4") SLOT_ADDRESS("r5", "r5") "ldrd r2, r3, [r5]\nldrd r4, r5, [r4]\n"
#define OPERATION64_COMMUTATIVE(NAME, COMPUTE)                                                               \
  OP(NAME##_rs, SLOT64_AND_VALUE COMPUTE("r4", "r5", "r2", "r3"))                                            \
  OP(NAME##_ss, SLOTS64 COMPUTE("r2", "r3", "r4", "r5"))
#define OPERATION64(NAME, COMPUTE)                                                                           \
  OPERATION64_COMMUTATIVE(NAME, COMPUTE)                                                                     \
  OP(NAME##_sr, SLOT64_AND_VALUE COMPUTE("r2", "r3", "r4", "r5"))

#define ADD64(AL, AH, BL, BH) "adds r2, " AL ", " BL "\nadc r3, " AH ", " BH "\n"
#define SUBTRACT64(AL, AH, BL, BH) "subs r2, " AL ", " BL "\nsbc r3, " AH ", " BH "\n"
#define MULTIPLY64(AL, AH, BL, BH)                                                                           \
  "mul r8, " AH ", " BL "\nmla r8, " AL ", " BH ", r8\numull r2, r3, " AL ", " BL "\nadd r3, r8\n"
#define AND64(AL, AH, BL, BH) "and r2, " AL ", " BL "\nand r3, " AH ", " BH "\n"
#define OR64(AL, AH, BL, BH) "orr r2, " AL ", " BL "\norr r3, " AH ", " BH "\n"
#define XOR64(AL, AH, BL, BH) "eor r2, " AL ", " BL "\neor r3, " AH ", " BH "\n"
// By n of 0 … 63, which the upper half of the count makes room for; r6 = 32 − n, r8 = n − 32. A negative count is 224 or
// more to the shifter, which makes 0 of it.
#define LEFT64(AL, AH, BL, N)                                                                                \
  "and " N ", " BL ", #63\nrsb r6, " N ", #32\nsub r8, " N ", #32\nlsr r6, " AL ", r6\nlsl r8, " AL          \
  ", r8\nlsl r2, " AL ", " N "\nlsl r3, " AH ", " N "\norr r3, r6\norr r3, r8\n"
#define RIGHT_U64(AL, AH, BL, N)                                                                             \
  "and " N ", " BL ", #63\nrsb r6, " N ", #32\nsub r8, " N ", #32\nlsl r6, " AH ", r6\nlsr r8, " AH          \
  ", r8\nlsr r2, " AL ", " N "\nlsr r3, " AH ", " N "\norr r2, r6\norr r2, r8\n"
// an arithmetic shift by a count too large makes copies of the sign: only where n is 32 or more
#define RIGHT64(AL, AH, BL, N)                                                                               \
  "and " N ", " BL ", #63\nrsb r6, " N ", #32\nlsl r6, " AH ", r6\nsubs r8, " N                              \
  ", #32\nitt pl\nasrpl r8, " AH ", r8\norrpl r6, r8\nlsr r2, " AL ", " N "\nasr r3, " AH ", " N             \
  "\norr r2, r6\n"

#define EQUAL64(AL, AH, BL, BH)                                                                              \
  "eor r2, " AL ", " BL "\neor r3, " AH ", " BH "\norr r2, r3\nclz r2, r2\nlsr r2, r2, #5\n"
#define NOT_EQUAL64(AL, AH, BL, BH)                                                                          \
  "eor r2, " AL ", " BL "\neor r3, " AH ", " BH "\norrs r2, r3\nit ne\nmovne r2, #1\n"
#define LESS64(AL, AH, BL, BH) "cmp " AL ", " BL "\nsbcs r6, " AH ", " BH "\n" TRUTH("lt", "ge")
#define GREATER64(AL, AH, BL, BH) LESS64(BL, BH, AL, AH)
#define LESS_EQUAL64(AL, AH, BL, BH) "cmp " BL ", " AL "\nsbcs r6, " BH ", " AH "\n" TRUTH("ge", "lt")
#define GREATER_EQUAL64(AL, AH, BL, BH) LESS_EQUAL64(BL, BH, AL, AH)
#define BELOW64(AL, AH, BL, BH) "cmp " AL ", " BL "\nsbcs r6, " AH ", " BH "\n" TRUTH("lo", "hs")
#define ABOVE64(AL, AH, BL, BH) BELOW64(BL, BH, AL, AH)
#define BELOW_EQUAL64(AL, AH, BL, BH) "cmp " BL ", " AL "\nsbcs r6, " BH ", " AH "\n" TRUTH("hs", "lo")
#define ABOVE_EQUAL64(AL, AH, BL, BH) BELOW_EQUAL64(BL, BH, AL, AH)

OPERATION64_COMMUTATIVE(i64_Add, ADD64)
OPERATION64_COMMUTATIVE(i64_Multiply, MULTIPLY64)
OPERATION64(i64_Subtract, SUBTRACT64)
OPERATION64_COMMUTATIVE(u64_And, AND64)
OPERATION64_COMMUTATIVE(u64_Or, OR64)
OPERATION64_COMMUTATIVE(u64_Xor, XOR64)
OPERATION64(u64_ShiftLeft, LEFT64)
OPERATION64(i64_ShiftRight, RIGHT64)
OPERATION64(u64_ShiftRight, RIGHT_U64)
OPERATION64_COMMUTATIVE(i64_Equal, EQUAL64)
OPERATION64_COMMUTATIVE(i64_NotEqual, NOT_EQUAL64)
OPERATION64(i64_LessThan, LESS64)
OPERATION64(i64_GreaterThan, GREATER64)
OPERATION64(i64_LessThanOrEqual, LESS_EQUAL64)
OPERATION64(i64_GreaterThanOrEqual, GREATER_EQUAL64)
OPERATION64(u64_LessThan, BELOW64)
OPERATION64(u64_GreaterThan, ABOVE64)
OPERATION64(u64_LessThanOrEqual, BELOW_EQUAL64)
OPERATION64(u64_GreaterThanOrEqual, ABOVE_EQUAL64)

// ---- one operand

OP(i32_EqualToZero_r, WORDS_0 "clz r2, r2\nlsr r2, r2, #5\n")
OP(i32_EqualToZero_s, WORDS_1 SLOT("r2", "r4") "clz r2, r2\nlsr r2, r2, #5\n")
OP(i64_EqualToZero_r, WORDS_0 "orr r2, r3\nclz r2, r2\nlsr r2, r2, #5\n")
OP(i64_EqualToZero_s,
   WORDS_1 SLOT_ADDRESS("r4", "r4") "ldrd r2, r3, [r4]\norr r2, r3\nclz r2, r2\nlsr r2, r2, #5\n")
OP(i64_Extend_i32_r, WORDS_0 "asr r3, r2, #31\n")
OP(i64_Extend_i32_s, WORDS_1 SLOT("r2", "r4") "asr r3, r2, #31\n")
OP(i64_Extend_u32_r, WORDS_0 "mov r3, #0\n")
OP(i64_Extend_u32_s, WORDS_1 SLOT("r2", "r4") "mov r3, #0\n")
OP(i32_Wrap_i64_r, WORDS_0)
OP(i32_Wrap_i64_s, WORDS_1 SLOT("r2", "r4"))

// ---- slots, constants, globals

OP(SetRegister_i32, WORDS_1 SLOT("r2", "r4"))
OP(SetRegister_i64, WORDS_1 SLOT_ADDRESS("r4", "r4") "ldrd r2, r3, [r4]\n")
OP(SetSlot_i32, WORDS_1 SLOT_PUT("r2", "r4"))
OP(SetSlot_i64, WORDS_1 SLOT_ADDRESS("r4", "r4") "strd r2, r3, [r4]\n")
OP(PreserveSetSlot_i32, WORDS_2 SLOT("r6", "r4") SLOT_PUT("r6", "r5") SLOT_PUT("r2", "r4"))
OP(PreserveSetSlot_i64,
   WORDS_2 SLOT_ADDRESS("r4", "r4")
       SLOT_ADDRESS("r5", "r5") "ldrd r6, r8, [r4]\nstrd r6, r8, [r5]\nstrd r2, r3, [r4]\n")
OP(CopySlot_32, WORDS_2 SLOT("r5", "r5") SLOT_PUT("r5", "r4"))
OP(CopySlot_64,
   WORDS_2 SLOT_ADDRESS("r4", "r4") SLOT_ADDRESS("r5", "r5") "ldrd r6, r8, [r5]\nstrd r6, r8, [r4]\n")
OP(PreserveCopySlot_32, WORDS_3 SLOT("r8", "r4") SLOT_PUT("r8", "r6") SLOT("r8", "r5") SLOT_PUT("r8", "r4"))
OP(PreserveCopySlot_64, WORDS_3 SLOT_ADDRESS("r4", "r4") SLOT_ADDRESS("r5", "r5")
                            SLOT_ADDRESS("r6", "r6") "ldrd r8, ip, [r4]\nstrd r8, ip, [r6]\nldrd r8, ip, "
                                                     "[r5]\nstrd r8, ip, [r4]\nldr ip, [r0, #-4]\n")
OP(Const32, WORDS_2 SLOT_PUT("r4", "r5"))
OP(Const64, WORDS_3 SLOT_ADDRESS("r6", "r6") "strd r4, r5, [r6]\n")
OP(GetGlobal_s32, WORDS_2 "ldr r4, [r4]\n" SLOT_PUT("r4", "r5"))
OP(SetGlobal_i32, WORDS_1 "str r2, [r4]\n")
OP(SetGlobal_s32, WORDS_2 SLOT("r5", "r5") "str r5, [r4]\n")

// ---- select: the last of the operands is the condition; value 2 stands before value 1

OP(Select_i32_rss, WORDS_2 "cmp r2, #0\nite eq\nldreq r2, [r1, r4, lsl #2]\nldrne r2, [r1, r5, lsl #2]\n")
OP(Select_i32_srs, WORDS_2 SLOT("r4", "r4") "cmp r4, #0\nit ne\nldrne r2, [r1, r5, lsl #2]\n")
OP(Select_i32_ssr, WORDS_2 SLOT("r4", "r4") "cmp r4, #0\nit eq\nldreq r2, [r1, r5, lsl #2]\n")
OP(Select_i32_sss,
   WORDS_3 SLOT("r4", "r4") "cmp r4, #0\nite eq\nldreq r2, [r1, r5, lsl #2]\nldrne r2, [r1, r6, lsl #2]\n")

// ---- control

#define JUMP_R4 "ldr ip, [r4], #4\nmov r0, r4\n"
OP(Branch, "ldr r0, [r0]\n" WORDS_0)
OP(BranchIf_r, WORDS_1 "cbz r2, 1f\n" JUMP_R4 "1:\n")
OP(BranchIf_s, WORDS_2 SLOT("r6", "r4") "cbz r6, 1f\nldr ip, [r5], #4\nmov r0, r5\n1:\n")
OP(BranchIfPrologue_r, WORDS_1 "cbnz r2, 1f\n" JUMP_R4 "1:\n")
OP(BranchIfPrologue_s, WORDS_2 SLOT("r6", "r4") "cbnz r6, 1f\nldr ip, [r5], #4\nmov r0, r5\n1:\n")
OP(If_r, WORDS_1 "cbnz r2, 1f\n" JUMP_R4 "1:\n")
OP(If_s, WORDS_2 SLOT("r6", "r4") "cbnz r6, 1f\nldr ip, [r5], #4\nmov r0, r5\n1:\n")
OP(ContinueLoopIf, WORDS_1 "cbz r2, 1f\nmov r0, r4\nbx lr\n1:\n")

static inline m3ret_t next(pc_t pc, m3stack_t sp, m3reg_t value) {
  return ((IM3Operation)*pc)(pc + 1, sp, value);
}

/** A value that nobody expects: whatever is there. */
static inline m3reg_t nothing(void) {
  m3reg_t value;
  __asm__ volatile("" : "=r"(value));
  return value;
}

/** A turn ends with its own program counter where the loop goes on, with anything else where it is left. */
m3ret_t op_Loop(pc_t pc, m3stack_t sp, m3reg_t value) {
  (void)value;
  const M3Memory *memory = &octomoteMemory->runtime->memory;
  m3ret_t end;
  do {
    end = next(pc, sp, nothing());
    octomoteMemory = memory->mallocated; // it may have grown
  } while (end == pc);
  return end;
}

_Static_assert(offsetof(M3Function, maxStackSlots) == 44 && offsetof(M3Function, numRetAndArgSlots) == 48 &&
                   offsetof(M3Function, numLocalBytes) == 52 &&
                   offsetof(M3Function, numConstantBytes) == 56 && offsetof(M3Function, constants) == 60 &&
                   sizeof(m3slot_t) == 4,
               "functions as wasm3 0.5.0 has them");

// Words from FROM on until it has come to END: an odd one first, then two at a time.
#define PAIRS(FROM, END, ODD, PAIR)                                                                          \
  "sub r3, " END ", " FROM "\nlsls r3, r3, #29\n" ODD "mov r3, #0\nb 2f\n1:\n" PAIR "2:\ncmp " FROM ", " END \
  "\nbne 1b\n"

__attribute__((naked)) m3ret_t octomoteTooDeep(void) {
  __asm__ volatile("ldr r0, =m3Err_trapStackOverflow\nldr r0, [r0]\nbx lr\n.ltorg\n");
}

// Zeroes a function's locals and lays its constants behind them: a few words, for which calls of memset and memcpy cost more.
OP(Entry, "ldr r4, [r0], #4\n"
          "ldrh r5, [r4, #44]\nadd r5, r1, r5, lsl #2\nldr r6, [r9, #4]\ncmp r5, r6\nbhs octomoteTooDeep\n"
          "ldrh r5, [r4, #48]\nadd r5, r1, r5, lsl #2\nldrh r6, [r4, #52]\nadd r6, r5\nmov r2, #0\n" PAIRS(
              "r5", "r6", "it mi\nstrmi r2, [r5], #4\n",
              "strd r2, r3, [r5], #8\n") "ldr r6, [r4, #60]\ncbz r6, "
                                         "3f\nldrh r4, [r4, #56]\nadd r4, "
                                         "r6\n" PAIRS("r6", "r4",
                                                      "itt mi\nldrmi r2, "
                                                      "[r6], #4\nstrmi r2, "
                                                      "[r5], #4\n",
                                                      "ldrd r2, r3, [r6], "
                                                      "#8\nstrd r2, r3, "
                                                      "[r5], #8\n") "3:"
                                                                    "\n" WORDS_0)

// ---- memory: [r9] is a header of 12 bytes, whose last word is the length, then the bytes

_Static_assert(sizeof(M3MemoryHeader) == 12 && offsetof(M3MemoryHeader, length) == 8,
               "a header as wasm3 0.5.0 has it");

/** Ends the module's call: an access that is not all within linear memory. */
__attribute__((naked)) m3ret_t octomoteOutside(void) {
  __asm__ volatile("ldr r0, =m3Err_trapOutOfBoundsMemoryAccess\nldr r0, [r0]\nbx lr\n.ltorg\n");
}

// AT = BASE + OFFSET, made to point 12 bytes before the access, which is tested: every one is. Neither sum nor difference
// wraps unseen: the carry is looked at, and linear memory is never less than 16 bytes (engineLoad).
#define ADDRESS(AT, BASE, OFFSET, LENGTH, IF_OUTSIDE)                                                        \
  "adds " AT ", " BASE ", " OFFSET "\nbcs octomoteOutside\nldr r8, [r9, #8]\n" LENGTH "cmp " AT              \
  ", r8\n" IF_OUTSIDE " octomoteOutside\nadd " AT ", r9\n"
#define ADDRESS_1(AT, BASE, OFFSET) ADDRESS(AT, BASE, OFFSET, "", "bhs")
#define ADDRESS_2(AT, BASE, OFFSET) ADDRESS(AT, BASE, OFFSET, "sub r8, #2\n", "bhi")
#define ADDRESS_4(AT, BASE, OFFSET) ADDRESS(AT, BASE, OFFSET, "sub r8, #4\n", "bhi")
#define ADDRESS_8(AT, BASE, OFFSET) ADDRESS(AT, BASE, OFFSET, "sub r8, #8\n", "bhi")

#define LOAD(NAME, SIZE, ACCESS)                                                                             \
  OP(NAME##_r, WORDS_1 ADDRESS_##SIZE("r4", "r2", "r4") ACCESS)                                              \
  OP(NAME##_s, WORDS_2 SLOT("r4", "r4") ADDRESS_##SIZE("r4", "r4", "r5") ACCESS)

#define SIGNED "asr r3, r2, #31\n"
#define UNSIGNED "mov r3, #0\n"
LOAD(i32_Load_i8, 1, "ldrsb r2, [r4, #12]\n")
LOAD(i32_Load_u8, 1, "ldrb r2, [r4, #12]\n")
LOAD(i32_Load_i16, 2, "ldrsh r2, [r4, #12]\n")
LOAD(i32_Load_u16, 2, "ldrh r2, [r4, #12]\n")
LOAD(i32_Load_i32, 4, "ldr r2, [r4, #12]\n")
LOAD(i64_Load_i8, 1, "ldrsb r2, [r4, #12]\n" SIGNED)
LOAD(i64_Load_u8, 1, "ldrb r2, [r4, #12]\n" UNSIGNED)
LOAD(i64_Load_i16, 2, "ldrsh r2, [r4, #12]\n" SIGNED)
LOAD(i64_Load_u16, 2, "ldrh r2, [r4, #12]\n" UNSIGNED)
LOAD(i64_Load_i32, 4, "ldr r2, [r4, #12]\n" SIGNED)
LOAD(i64_Load_u32, 4, "ldr r2, [r4, #12]\n" UNSIGNED)
// not ldrd, which wants words in their places
LOAD(i64_Load_i64, 8, "ldr r2, [r4, #12]\nldr r3, [r4, #16]\n")

// rs: base in a slot; sr: value in a slot; ss: both, and r2 and r3 hold something else
#define STORE(NAME, SIZE, STORED)                                                                            \
  OP(NAME##_rs, WORDS_2 SLOT("r4", "r4") ADDRESS_##SIZE("r4", "r4", "r5") STORED " r2, [r4, #12]\n")         \
  OP(NAME##_sr, WORDS_2 SLOT("r4", "r4") ADDRESS_##SIZE("r5", "r2", "r5") STORED " r4, [r5, #12]\n")         \
  OP(NAME##_ss,                                                                                              \
     WORDS_3 SLOT("r4", "r4") SLOT("r5", "r5") ADDRESS_##SIZE("r5", "r5", "r6") STORED " r4, [r5, #12]\n")

STORE(i32_Store_u8, 1, "strb")
STORE(i32_Store_i16, 2, "strh")
STORE(i32_Store_i32, 4, "str")
STORE(i64_Store_u8, 1, "strb")
STORE(i64_Store_i16, 2, "strh")
STORE(i64_Store_i32, 4, "str")
OP(i64_Store_i64_rs,
   WORDS_2 SLOT("r4", "r4") ADDRESS_8("r4", "r4", "r5") "str r2, [r4, #12]\nstr r3, [r4, #16]\n")
#define STORE_SLOT64 "ldrd r6, r8, [r4]\nstr r6, [r5, #12]\nstr r8, [r5, #16]\n"
OP(i64_Store_i64_sr, WORDS_2 SLOT_ADDRESS("r4", "r4") ADDRESS_8("r5", "r2", "r5") STORE_SLOT64)
OP(i64_Store_i64_ss,
   WORDS_3 SLOT_ADDRESS("r4", "r4") SLOT("r5", "r5") ADDRESS_8("r5", "r5", "r6") STORE_SLOT64)

// memory.copy: most are a few bytes of a row, four at a time while there are (as far apart as they may lie, this core reads
// them); what is long, or overlaps so that it wants copying from its end, is memmove's.
OP(MemCopy,
   WORDS_2 SLOT("r4", "r4")
       SLOT("r5",
            "r5") "ldr r6, [r9, #8]\nsubs r6, r2\nblo octomoteOutside\n"
                  "cmp r4, r6\nbhi octomoteOutside\ncmp r5, r6\nbhi octomoteOutside\n"
                  "add r4, r9\nadd r4, #12\nadd r5, r9\nadd r5, #12\n"
                  "cmp r2, #64\nbhi 4f\nsub r6, r5, r4\ncmp r6, r2\nblo 4f\n"
                  "subs r2, #4\nblo 2f\n"
                  "1:\nldr r6, [r4], #4\nstr r6, [r5], #4\nsubs r2, #4\nbhs 1b\n"
                  "2:\nadds r2, #4\nbeq 5f\n"
                  "3:\nldrb r6, [r4], #1\nstrb r6, [r5], #1\nsubs r2, #1\nbne 3b\nb 5f\n"
                  "4:\npush {r0, r1, ip, lr}\nmov r0, r5\nmov r1, r4\nbl memmove\npop {r0, r1, ip, lr}\n"
                  "5:\n")

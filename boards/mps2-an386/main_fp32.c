// The FP32 reference (boards/runtime/fp32) on the emulated board: takes the steps that lie in external RAM, the last one between the
// markers of the counting plugin, and tells each loss (the bits of a float), and the RAM that the net takes.
//
//   words: steps, rate (a float), the plan, then for each step its label and its input (floats)
#include <string.h>

#include "fp32/fp32.h"
#include "semihosting.h"

extern char __pool_start[], __pool_end[];

#define INPUT ((const uint32_t *)0x21000000u)
/** Where a net goes that is too large for the board's own RAM. */
#define EXTERNAL ((void *)0x21800000u)
enum { EXTERNAL_BYTES = 8 << 20 };
#define COPROCESSORS (*(volatile uint32_t *)0xe000ed88u)

static void print(const char *name, uint32_t value) {
  char text[12], *at = text + sizeof text;
  *--at = 0;
  *--at = '\n';
  do *--at = "0123456789abcdef"[value & 15];
  while ((value >>= 4) != 0);
  *--at = ' ';
  semihostPrint(name);
  semihostPrint(at);
}

static __attribute__((noinline)) float markedStep(Fp32Net *net, const float *x, uint32_t label, float rate) {
  __asm__ volatile(".short 0x46d2" ::: "memory");
  float loss = fp32Step(net, x, label, rate);
  __asm__ volatile(".short 0x46db" ::: "memory");
  return loss;
}

static __attribute__((noinline)) void run(void) {
  static Fp32Net net;
  const uint32_t *words = INPUT;
  uint32_t steps = *words++;
  float rate;
  memcpy(&rate, words++, sizeof rate);
  const uint32_t *end;
  bool small = fp32Open(&net, words, __pool_start, (size_t)(__pool_end - __pool_start), &end);
  if (!small && !fp32Open(&net, words, EXTERNAL, EXTERNAL_BYTES, &end)) {
    semihostPrint("error the net does not fit\n");
    semihostExit(1);
  }
  const Fp32Plan *first = net.layer[0].plan;
  uint32_t inputs = first->h * first->w * first->c;
  for (; steps > 0; steps--, end += 1 + inputs) {
    const float *x = (const float *)(end + 1);
    float loss = steps > 1 ? fp32Step(&net, x, *end, rate) : markedStep(&net, x, *end, rate);
    uint32_t bits;
    memcpy(&bits, &loss, sizeof bits);
    print("loss", bits);
  }
  print("ram", (uint32_t)(net.bytes + sizeof net + inputs * sizeof(float)));
}

int main(void) {
  // the FPU is off after reset, and nothing may touch it before this
  COPROCESSORS |= 15u << 20;
  __asm__ volatile("dsb\n isb" ::: "memory");
  run();
  semihostExit(0);
}

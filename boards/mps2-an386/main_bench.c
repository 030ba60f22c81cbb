// The bench variant: loads the module from the boot block as the device does, then calls its export `bench(i)` once
// for each i below `benchCount()`, each between the markers that an emulator plugin counts between, and tells over
// semihosting where RAM went. One line per fact: a name and a number.
#include "abi.h"
#include "abi_imports.h"
#include "boot_block.h"
#include "cpu.h"
#include "pool.h"
#include "samples.h"
#include "semihosting.h"
#include "uart.h"
#include "wasm_scan.h"

extern uint8_t __stack_start[], __stack_end[], __data_start[], __data_end[], __bss_start[], __bss_end[],
    __pool_start[], __pool_end[];

enum { MODULE_STACK = 3584, WARM_UP_STEPS = 1, PAGE = 65536 };

static void printNumber(const char *name, int64_t number) {
  char digits[24];
  char *at = digits + sizeof digits - 1;
  uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
  *at = 0;
  *--at = '\n';
  do *--at = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (number < 0) *--at = '-';
  *--at = ' ';
  semihostPrint(name);
  semihostPrint(at);
}

static void stop(const char *what, const Fault *fault) {
  semihostPrint("error ");
  semihostPrint(what);
  semihostPrint("\n");
  printNumber("code", fault->code);
  printNumber("where", fault->where);
  printNumber("got", fault->got);
  printNumber("want", fault->want);
  if (fault->text[0] != 0) semihostPrint(fault->text);
  semihostExit(1);
}

static bool publish(int32_t channel, const uint8_t *data, uint32_t bytes) {
  (void)channel, (void)data, (void)bytes;
  return true;
}

static void noLog(int32_t level, const char *text, uint32_t bytes) { (void)level, (void)text, (void)bytes; }

static void printMemory(const BootBlock *block) {
  EngineMemory memory = abiMemory();
  printNumber("memory.module", block->moduleBytes);
  printNumber("memory.linearGiven", engineMemory().linear);
  printNumber("memory.linear", memory.linear);
  printNumber("memory.metacode", memory.metacode);
  printNumber("memory.moduleStack", memory.stack);
  printNumber("memory.engine", engineMemory().other);
  printNumber("memory.poolSize", (int64_t)poolSize());
  printNumber("memory.static", (__data_end - __data_start) + (__bss_end - __bss_start));
  printNumber("memory.cStackReserved", __stack_end - __stack_start);
  printNumber("memory.cStackUsed", cpuStackUsed());
}

int main(void) {
  static BootBlock block;
  static Samples samples;
  static Sensor sensor;
  static Fault fault;
  static AbiHost host;

  uartStart();
  cpuStart();
  if (!bootBlockRead(&block) || block.module == NULL) stop("no module in the boot block", &fault);
  if (block.samples == NULL) stop("no samples in the boot block", &fault);
  if (samplesOpen(&samples, block.samples, block.samplesBytes, &fault) != OM_OK) stop("samples", &fault);
  sensor = samplesSensor(&samples);
  host = (AbiHost){&sensor, publish, noLog, cpuMillis};
  // A module for more RAM than there is (its memory has several pages) is counted all the same: how many instructions it
  // takes does not depend on where its memory lies.
  WasmScan scan;
  bool large =
      wasmScan(block.module, block.moduleBytes, abiImports, abiImportCount, &scan, &fault) == OM_OK &&
      scan.memoryBytes > PAGE;
  if (large)
    poolInit(block.rest, block.restBytes);
  else
    poolInit(__pool_start, (size_t)(__pool_end - __pool_start));
  AbiConfig config = {.seed = block.seed, .params = 0};
  if (abiLoad(block.module, block.moduleBytes, MODULE_STACK, &host, &fault) != OM_OK) stop("load", &fault);
  if (abiStart(&config, &fault) != OM_OK) {
    printMemory(&block);
    stop("start", &fault);
  }

  uint32_t count = abiFind("benchCount", "i()"), bench = abiFind("bench", "v(i)");
  int32_t n = 0;
  if (count != 0 && bench != 0) {
    if (abiCall(count, 0, &n, &fault) != OM_OK) stop("benchCount", &fault);
    printNumber("benchCount", n);
    for (int32_t i = 0; i < n; i++) {
      engineMarked = true;
      Error error = abiCall(bench, i, NULL, &fault);
      engineMarked = false;
      if (error != OM_OK) stop("bench", &fault);
    }
  } else {
    // a module without bench exports: its steps are counted, after one that warms nothing but the model
    for (uint32_t i = 0; i < WARM_UP_STEPS; i++) {
      if (abiStep(&fault) != OM_OK) stop("step", &fault);
    }
    engineMarked = true;
    Error error = abiStep(&fault);
    engineMarked = false;
    if (error != OM_OK) stop("step", &fault);
    printNumber("steps", 1);
  }
  printMemory(&block);
  semihostExit(0);
}

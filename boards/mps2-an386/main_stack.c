// The variant that measures the C stack: the device's own loop on a link that is a script of requests, one for each
// verb. The stack is painted again before every call of an entry point and before every round of the loop, and what
// each of them reached, from the stack's top, is told over semihosting. One line per fact: a name and a number.
#include <string.h>

#include "abi.h"
#include "boot_block.h"
#include "cbor.h"
#include "cobs.h"
#include "cpu.h"
#include "crc32c.h"
#include "loop.h"
#include "samples.h"
#include "semihosting.h"

extern uint8_t __stack_start[], __stack_end[], __pool_start[], __pool_end[];

// as in main.c
enum { MODULE_STACK = 3584, STACK_RESERVE = 896 };

enum { EPOCH = 7, LARGEST_READ = 512, ROUNDS = 4, FRAME = 64, STATE_HEAD = 16 };
enum { ACK = 0x01, WELCOME = 0x04, REQUEST = 0x20 };
enum { START = 1, PAUSE, RESUME, READ, WRITE, SELF_TEST, MESSAGE, STATUS, VERBS };

static uint32_t deepest[EXPORT_COUNT], deepestLink, deepestLoad;

// what waits to be read: one frame
static uint8_t wire[2 * FRAME];
static size_t wireLength, wireRead;

static void note(uint32_t *most) {
  uint32_t used = cpuStackUsed();
  if (used > *most) *most = used;
  cpuPaintStack();
}

static void observe(Export export, bool entered) {
  // the first entry point that a module is asked for comes when it has been compiled
  bool loaded = entered && export == EXPORT_ABI;
  note(loaded ? &deepestLoad : entered ? &deepestLink : &deepest[export]);
}

static size_t readWire(uint8_t *data, size_t bytes) {
  size_t n = wireLength - wireRead < bytes ? wireLength - wireRead : bytes;
  memcpy(data, wire + wireRead, n);
  wireRead += n;
  return n;
}

static size_t writeNowhere(const uint8_t *data, size_t bytes) {
  (void)data;
  return bytes;
}

static void waitNot(uint32_t ms, bool outputPending) { (void)ms, (void)outputPending; }

/** Puts a frame on the wire and lets the loop go round until it is done. */
static void exchange(uint8_t type, uint16_t sequence, const CborWriter *payload) {
  uint8_t raw[FRAME] = {1, type, EPOCH << 4 | (type == REQUEST), (uint8_t)sequence, (uint8_t)(sequence >> 8)};
  size_t length = 5;
  if (payload != NULL) {
    memcpy(raw + length, payload->data, payload->length);
    length += payload->length;
  }
  uint32_t crc = crc32c(0, raw, length);
  for (uint32_t i = 0; i < 4; i++) raw[length++] = (uint8_t)(crc >> 8 * i);
  wire[0] = 0;
  wireLength = 1 + cobsEncode(raw, length, wire + 1);
  wire[wireLength++] = 0;
  wireRead = 0;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    cpuPaintStack();
    loopOnce();
    note(&deepestLink);
  }
}

/** A request of a verb with what it needs; `what` is the message's first byte. */
static void request(uint16_t sequence, int64_t verb, uint8_t what) {
  uint8_t room[FRAME / 2];
  CborWriter w = {room, sizeof room, 0, false};
  cborMap(&w, verb == WRITE ? 6 : verb == READ ? 5 : verb == START || verb == MESSAGE ? 3 : 2);
  cborInt(&w, 0);
  cborInt(&w, sequence);
  cborInt(&w, 1);
  cborInt(&w, verb);
  if (verb == START || verb == READ || verb == WRITE) {
    cborInt(&w, 2);
    cborInt(&w, 0); // seed, region
  }
  if (verb == MESSAGE) {
    cborInt(&w, 2);
    cborBytes(&w, &what, 1);
  }
  if (verb == READ || verb == WRITE) {
    cborInt(&w, 3);
    cborInt(&w, 0);
    cborInt(&w, 4);
  }
  if (verb == READ) cborInt(&w, LARGEST_READ);
  if (verb == WRITE) {
    // the head of the state, as it is: what follows stays where it is, or is put beside it first
    uint8_t *state;
    uint32_t total;
    Fault fault;
    if (abiState(&state, &total, &fault) != OM_OK || total < STATE_HEAD) return;
    cborBytes(&w, state, STATE_HEAD);
    cborInt(&w, 5);
    cborBool(&w, true);
  }
  exchange(REQUEST, sequence, &w);
  exchange(ACK, sequence, NULL);
}

static void printNumber(const char *name, uint32_t number) {
  char digits[16];
  char *at = digits + sizeof digits - 1;
  *at = 0;
  *--at = '\n';
  do *--at = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  *--at = ' ';
  semihostPrint(name);
  semihostPrint(at);
}

int main(void) {
  static BootBlock block;
  static Samples samples;
  static Sensor sensor;
  static Board board;
  static Fault fault;
  static const struct {
    Export export;
    const char *name;
  } names[] = {{EXPORT_CONFIG, "config"},  {EXPORT_INITIALIZE, "initialize"}, {EXPORT_INIT, "init"},
               {EXPORT_STEP, "step"},      {EXPORT_MESSAGE, "message"},       {EXPORT_SELF_TEST, "selfTest"},
               {EXPORT_RESTORE, "restore"}};

  cpuStart();
  bool found = bootBlockRead(&block) && block.module != NULL && block.samples != NULL;
  if (!found || samplesOpen(&samples, block.samples, block.samplesBytes, &fault) != OM_OK) {
    semihostPrint("error no module and samples in the boot block\n");
    semihostExit(1);
  }
  sensor = samplesSensor(&samples);
  board = (Board){.id = block.id,
                  .name = "mps2-an386",
                  .module = block.module,
                  .moduleBytes = block.moduleBytes,
                  .sensor = &sensor,
                  .pool = __pool_start,
                  .poolBytes = (size_t)(__pool_end - __pool_start),
                  .moduleStack = MODULE_STACK,
                  .stackBound = __stack_start + STACK_RESERVE,
                  .cStack = (uint32_t)(__stack_end - __stack_start),
                  .bootNumber = EPOCH,
                  .read = readWire,
                  .write = writeNowhere,
                  .millis = cpuMillis,
                  .wait = waitNot};
  abiObserver = observe;
  loopInit(&board);
  uint8_t room[8];
  CborWriter welcome = {room, sizeof room, 0, false};
  cborMap(&welcome, 1);
  cborInt(&welcome, 0);
  cborInt(&welcome, EPOCH);
  exchange(WELCOME, 0, &welcome);

  uint16_t sequence = 0;
  // the self-test forgets the module; a message may end it
  static const uint8_t verbs[] = {SELF_TEST, START, STATUS, READ, WRITE, PAUSE, RESUME};
  for (uint32_t i = 0; i < sizeof verbs; i++) request(sequence++, verbs[i], 0);
  for (uint8_t what = 1; what <= 4; what++) {
    request(sequence++, START, 0);
    request(sequence++, MESSAGE, what);
  }
  for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (deepest[names[i].export] != 0) printNumber(names[i].name, deepest[names[i].export]);
  }
  printNumber("load", deepestLoad);
  printNumber("link", deepestLink);
  printNumber("reserved", (uint32_t)(__stack_end - __stack_start));
  semihostExit(0);
}

// The board that runs the counter module.
#include "board.h"

#include "fuzz.h"

enum { POOL = 128 << 10, MODULE_STACK = 4096, C_STACK = 256 << 10, MOST_MODULE = 16 << 10 };

uint64_t boardNow;

static int8_t pixels[16];

static bool ready(void *self) {
  (void)self;
  return true;
}

static bool next(void *self, SensorFrame *frame) {
  (void)self;
  *frame = (SensorFrame){pixels, 4, 4, 1, 3, false};
  return true;
}

static size_t readNothing(uint8_t *data, size_t bytes) {
  (void)data;
  (void)bytes;
  return 0;
}

static size_t takeAll(const uint8_t *data, size_t bytes) {
  (void)data;
  return bytes;
}

static uint64_t millis(void) { return boardNow; }

static void waitNot(uint32_t ms, bool pending) {
  (void)ms;
  (void)pending;
}

/** Reads the module into a block of exactly its size. */
static uint8_t *readModule(uint32_t *bytes) {
  static uint8_t room[MOST_MODULE];
  FILE *file = fopen(FUZZ_MODULE, "rb");
  PROMISE(file != NULL, "there is no module " FUZZ_MODULE);
  size_t length = fread(room, 1, sizeof room, file);
  fclose(file);
  PROMISE(length > 0 && length < sizeof room, "a module has a size between 1 and 16,383 bytes");
  uint8_t *module = malloc(length);
  memcpy(module, room, length);
  *bytes = (uint32_t)length;
  return module;
}

const Board *fuzzBoard(void) {
  static const Sensor sensor = {NULL, ready, next, NULL};
  static Board board;
  if (board.module == NULL) {
    board = (Board){.id = "fuzz", .name = "fuzz", .sensor = &sensor, .poolBytes = POOL};
    board.module = readModule(&board.moduleBytes);
    board.pool = aligned_alloc(16, POOL);
    board.moduleStack = MODULE_STACK;
    board.read = readNothing;
    board.write = takeAll;
    board.millis = millis;
    board.wait = waitNot;
  }
  // sanitizers make frames large: the C stack is bounded where the operating system would end the process
  board.stackBound = (const uint8_t *)__builtin_frame_address(0) - C_STACK;
  return &board;
}

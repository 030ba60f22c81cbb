// What the device does: runs the module, carries out requests, and tells its state. One device per firmware.
#include "loop.h"

#include <string.h>

#include "abi.h"
#include "link.h"
#include "pool.h"
#include "requests.h"
#include "sha256.h"

#ifndef OM_VERSION
#error "define OM_VERSION: the firmware's version as a string (host/build/firmware.ts does)"
#endif

enum { RECORD_BYTES = 128, LOG_BYTES = 200, HEARTBEAT_MS = 1000, RECEIVE_BYTES = 128, RECEIVE_MOST = 32 };

static struct {
  const Board *board;
  AbiHost host;
  bool running, dirty;
  uint32_t steps;     // since start
  uint32_t stepsLeft; // 0: no end
  uint64_t heartbeatAt, stepAt;
  Fault fault; // code 0: none
  uint8_t record[RECORD_BYTES];
  uint32_t recordBytes;
  uint8_t moduleDigest[SHA256_BYTES];
} loop;

// ---- what goes out

static void putMemory(CborWriter *w) {
  EngineMemory memory = abiMemory();
  uint32_t given = engineMemory().linear;
  cborMap(w, loop.board->cStack == 0 ? 5 : 6);
  cborInt(w, 0);
  cborInt(w, memory.linear);
  cborInt(w, 1);
  cborInt(w, memory.metacode);
  cborInt(w, 2);
  cborInt(w, (int64_t)poolUsed() -
                 (given - memory.linear)); // what the module was given and leaves idle is not used
  cborInt(w, 3);
  cborInt(w, (int64_t)poolSize());
  if (loop.board->cStack != 0) {
    cborInt(w, 4);
    cborInt(w, loop.board->cStack);
  }
  cborInt(w, 5);
  cborInt(w, loop.board->staticBytes);
}

static void putHello(CborWriter *w, uint32_t epoch, uint32_t count) {
  uint32_t modules = 0;
  while (abiImportModules[modules] != NULL) modules++;
  bool hasModule = loop.board->moduleBytes > 0;
  cborMap(w, 12u + hasModule);
  cborInt(w, 0);
  cborInt(w, 1);
  cborInt(w, 1);
  cborInt(w, epoch);
  cborInt(w, 2);
  cborText(w, loop.board->id);
  cborInt(w, 3);
  cborText(w, loop.board->name);
  cborInt(w, 4);
  cborText(w, OM_VERSION);
  cborInt(w, 5);
  cborText(w, engineName());
  cborInt(w, 6);
  cborInt(w, ABI_VERSION);
  cborInt(w, 7);
  cborArray(w, modules);
  for (uint32_t i = 0; i < modules; i++) cborText(w, abiImportModules[i]);
  cborInt(w, 8);
  cborInt(w, loop.board->moduleBytes);
  if (hasModule) {
    cborInt(w, 9);
    cborBytes(w, loop.moduleDigest, SHA256_BYTES);
  }
  cborInt(w, 10);
  putMemory(w);
  cborInt(w, 11);
  cborBool(w, loop.running);
  cborInt(w, 12);
  cborInt(w, count);
}

static void putFault(CborWriter *w, const Fault *fault) {
  const int32_t numbers[] = {fault->code, fault->where, fault->got, fault->want};
  cborMap(w, fault->text[0] == 0 ? 4 : 5);
  for (uint32_t i = 0; i < 4; i++) {
    cborInt(w, i);
    cborInt(w, numbers[i]);
  }
  if (fault->text[0] == 0) return;
  cborInt(w, 9);
  cborText(w, fault->text);
}

void loopPutState(CborWriter *w) {
  bool failed = loop.fault.code != OM_OK;
  LinkCounts counts = linkCounts();
  cborMap(w, 7u + (loop.recordBytes > 0) + failed);
  if (loop.recordBytes > 0) {
    cborInt(w, 0);
    cborBytes(w, loop.record, loop.recordBytes);
  }
  cborInt(w, 1);
  cborInt(w, (int64_t)loop.board->millis());
  cborInt(w, 2);
  cborInt(w, loop.steps);
  cborInt(w, 3);
  cborInt(w, (int64_t)counts.bytesSent);
  cborInt(w, 4);
  cborInt(w, counts.dropped);
  cborInt(w, 5);
  putMemory(w);
  cborInt(w, 6);
  cborBool(w, loop.running);
  if (failed) {
    cborInt(w, 7);
    putFault(w, &loop.fault);
  }
  cborInt(w, 8);
  cborInt(w, abiSamples());
}

/** The link asks for the state: it is told when something changed, and as a sign of life. */
static bool putStateIfNew(CborWriter *w) {
  uint64_t now = loop.board->millis();
  if (!loop.dirty && now < loop.heartbeatAt) return false;
  loop.dirty = false;
  loop.heartbeatAt = now + HEARTBEAT_MS;
  loopPutState(w);
  return true;
}

static void sendLog(int32_t level, const char *text, uint32_t bytes) {
  uint8_t payload[LOG_BYTES];
  CborWriter w = {payload, sizeof payload, 0, false};
  cborMap(&w, 2);
  cborInt(&w, 0);
  cborInt(&w, level);
  cborInt(&w, 1);
  cborTextN(&w, text, bytes);
  if (!w.full) (void)linkStream(LINK_LOG, payload, w.length, NULL, 0);
}

void loopLog(int32_t level, const char *text) { sendLog(level, text, (uint32_t)strlen(text)); }

// ---- what the module asks

static bool publish(int32_t channel, const uint8_t *data, uint32_t bytes) {
  if (channel == 0) {
    if (bytes > RECORD_BYTES || bytes % 8 != 0) return false;
    memcpy(loop.record, data, bytes);
    loop.recordBytes = bytes;
    loop.dirty = true;
    return true;
  }
  uint8_t head[8];
  CborWriter w = {head, sizeof head, 0, false};
  cborMap(&w, 1);
  cborInt(&w, 0);
  cborBytesHead(&w, bytes);
  return channel == 1 && linkStream(LINK_FEATURES, head, w.length, data, bytes);
}

// ---- the module's life

/** Keeps a module's error for the state and says it in the log. */
static Error failed(Error error, const Fault *fault) {
  if (error == OM_OK) return OM_OK;
  loop.running = false;
  loop.dirty = true;
  loop.fault = *fault;
  if (fault->text[0] != 0) loopLog(0, fault->text);
  return error;
}

Error loopLoad(const AbiConfig *config, Fault *fault) {
  const Board *board = loop.board;
  loop.running = false;
  loop.dirty = true;
  loop.steps = 0;
  loop.recordBytes = 0;
  loop.fault.code = OM_OK;
  if (board->moduleBytes == 0) return faultSet(fault, OM_NO_MODULE, 0, 0, 0);
  if (board->sensor != NULL && board->sensor->rewind != NULL) board->sensor->rewind(board->sensor->self);
  Error error = abiLoad(board->module, board->moduleBytes, board->moduleStack, &loop.host, fault);
  if (error == OM_OK) error = abiStart(config, fault);
  return failed(error, fault);
}

Error loopRun(uint32_t steps, Fault *fault) {
  if (!abiReady()) return faultSet(fault, OM_NOT_LOADED, 0, 0, 0);
  loop.running = true;
  loop.dirty = true;
  loop.stepsLeft = steps;
  return OM_OK;
}

uint32_t loopSteps(void) { return loop.steps; }

void loopPause(void) {
  loop.running = false;
  loop.dirty = true;
}

Error loopModuleCall(Error error, const Fault *fault) {
  // only what stopped the module is its error; a refusal leaves it running
  return abiReady() ? error : failed(error, fault);
}

static bool stepDue(uint64_t now) {
  if (!loop.running || loop.board->sensor == NULL) return false;
  if (loop.board->maxStepsPerSecond != 0 && now < loop.stepAt) return false;
  return loop.board->sensor->ready(loop.board->sensor->self);
}

static void step(uint64_t now) {
  if (loop.board->maxStepsPerSecond != 0) loop.stepAt = now + 1000 / loop.board->maxStepsPerSecond;
  Fault fault;
  if (failed(abiStep(&fault), &fault) != OM_OK) return;
  loop.steps++;
  if (loop.stepsLeft != 0 && --loop.stepsLeft == 0) loopPause();
}

static void digestModule(const Board *board) {
  Sha256 hash;
  sha256Start(&hash);
  sha256Take(&hash, board->module, board->moduleBytes);
  sha256End(&hash, loop.moduleDigest);
}

static size_t writeOut(const uint8_t *data, size_t bytes) { return loop.board->write(data, bytes); }

void loopInit(const Board *board) {
  static const LinkUser user = {putHello, putStateIfNew, requestHandle, writeOut};
  memset(&loop, 0, sizeof loop);
  loop.board = board;
  loop.host = (AbiHost){board->sensor, publish, sendLog, board->millis};
  digestModule(board);
  poolInit(board->pool, board->poolBytes);
  engineSetStackBound(board->stackBound);
  linkInit(&user, board->bootNumber, board->millis());
  if (!board->autostart) return;
  AbiConfig config = {.seed = board->seed, .params = 0};
  Fault fault;
  if (loopLoad(&config, &fault) == OM_OK) (void)failed(loopRun(0, &fault), &fault);
}

void loopReconnected(void) { linkReset(loop.board->millis()); }

void loopOnce(void) {
  uint8_t data[RECEIVE_BYTES];
  uint64_t now = loop.board->millis();
  // bounded, so that whoever sends faster than this reads can't keep the module from its steps
  for (int turn = 0; turn < RECEIVE_MOST; turn++) {
    size_t n = loop.board->read(data, sizeof data);
    if (n == 0) break;
    linkReceive(data, n, now);
    now = loop.board->millis();
    (void)linkSend(now);
  }
  if (stepDue(now)) {
    step(now);
    (void)linkSend(loop.board->millis());
    return;
  }
  uint32_t idle = linkSend(now);
  if (loop.heartbeatAt > now && loop.heartbeatAt - now < idle) idle = (uint32_t)(loop.heartbeatAt - now);
  if (loop.running && loop.stepAt > now && loop.stepAt - now < idle) idle = (uint32_t)(loop.stepAt - now);
  loop.board->wait(idle, linkPending());
}

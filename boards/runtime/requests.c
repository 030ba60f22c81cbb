// Requests of the host: one function per verb, arguments by integer key.
#include "requests.h"

#include <string.h>

#include "crc32c.h"
#include "sha256.h"

enum { START = 1, PAUSE, RESUME, READ, WRITE, SELF_TEST, MESSAGE, STATUS, DIGEST };
enum { MAX_READ = 512, REGION_STATE = 0 };
// a checkpoint (docs/abi.md, "Learned state"): the first four words of its header say whose it is
enum { STATE_MAGIC = 0x504b434f, STATE_MARKS = 4, STATE_CRC = 6, STATE_HEADER = 32 };

/** A checkpoint is being written, in memory that the module leaves idle: its own stays whole until it is complete. */
static bool begun;
/** Where too little lies idle it is written in place: until it is whole, the module runs no step. */
static bool torn;

/** A request as read from the wire; what is absent is zero. */
typedef struct Request {
  uint32_t id, verb;
  int64_t number[6];      // keys 2 … 5 where they are integers
  const uint8_t *data[6]; // keys 2 … 5 where they are bytes
  uint32_t bytes[6];      //
  bool flag5;             // key 5 of write
  uint32_t has;           // a bit for each key that was there
  AbiConfig config;       // of start
} Request;

static void readParams(CborReader *r, AbiConfig *config, Fault *fault) {
  uint32_t count = cborReadArray(r);
  if (count > ABI_MAX_PARAMS) faultSet(fault, OM_TOO_MANY_PARAMS, 0, (int32_t)count, ABI_MAX_PARAMS);
  for (uint32_t i = 0; i < count && !r->bad; i++) {
    if (cborReadArray(r) != 2) r->bad = true;
    int64_t hash = cborReadInt(r);
    int64_t value = cborReadInt(r);
    if (hash < 0 || hash > UINT32_MAX) r->bad = true;
    if (r->bad || i >= ABI_MAX_PARAMS) continue;
    config->param[i].hash = (uint32_t)hash;
    config->param[i].value = value;
    config->params = i + 1;
  }
}

static void readField(CborReader *r, uint32_t key, Request *request, Fault *fault) {
  if (key > 5) {
    cborSkip(r);
    return;
  }
  bool isBytes = (request->verb == WRITE && key == 4) || (request->verb == MESSAGE && key == 2);
  if (request->verb == START && key == 3) {
    readParams(r, &request->config, fault);
  } else if (request->verb == WRITE && key == 5) {
    request->flag5 = cborReadBool(r);
  } else if (isBytes) {
    request->data[key] = cborReadBytes(r, &request->bytes[key]);
  } else {
    request->number[key] = cborReadInt(r);
    if (request->number[key] < 0 || request->number[key] > UINT32_MAX) r->bad = true;
  }
  request->has |= 1u << key;
}

/** Reads a request; false when its id is missing. Whatever else is wrong is in the fault. */
static bool readRequest(const uint8_t *payload, uint32_t bytes, Request *request, Fault *fault) {
  memset(request, 0, sizeof *request);
  CborReader r = {payload, payload + bytes, false};
  // the verb decides what the other fields are, and keys come in any order: the first pass finds the verb
  for (uint32_t pass = 0; pass < 2; pass++) {
    r = (CborReader){payload, payload + bytes, false};
    uint32_t pairs = cborReadMap(&r);
    for (uint32_t i = 0; i < pairs && !r.bad; i++) {
      int64_t key = cborReadInt(&r);
      if (pass == 0 && (key == 0 || key == 1)) {
        int64_t value = cborReadInt(&r);
        if (value < 0 || value > UINT32_MAX) r.bad = true;
        if (r.bad) break;
        if (key == 0) request->id = (uint32_t)value;
        if (key == 1) request->verb = (uint32_t)value;
        request->has |= 1u << key;
      } else if (pass == 1 && key >= 2 && key <= 5) {
        readField(&r, (uint32_t)key, request, fault);
      } else {
        cborSkip(&r);
      }
    }
  }
  if ((request->has & 1) == 0) return false;
  if (r.bad || r.at != r.end) faultSet(fault, OM_BAD_REQUEST, 0, 0, 0);
  return true;
}

/** Whether all keys of the mask are there. */
static Error need(const Request *request, uint32_t mask, Fault *fault) {
  for (uint32_t key = 2; key <= 5; key++) {
    if ((mask >> key & 1) != 0 && (request->has >> key & 1) == 0) {
      return faultSet(fault, OM_BAD_REQUEST, 0, 0, (int32_t)key);
    }
  }
  return OM_OK;
}

static void putDone(CborWriter *w, const Request *request, uint32_t pairs) {
  cborMap(w, 2 + pairs);
  cborInt(w, 0);
  cborInt(w, request->id);
  cborInt(w, 1);
  cborInt(w, OM_OK);
}

/** An answer that says when the request was carried out: replaying needs to know. */
static void putDoneAt(CborWriter *w, const Request *request) {
  putDone(w, request, 1);
  cborInt(w, 2);
  cborInt(w, loopSteps());
}

static void putRefusal(CborWriter *w, const Request *request, const Fault *fault) {
  const int32_t numbers[] = {fault->code, fault->where, fault->got, fault->want};
  cborMap(w, fault->text[0] == 0 ? 5 : 6);
  cborInt(w, 0);
  cborInt(w, request->id);
  for (uint32_t i = 0; i < 4; i++) {
    cborInt(w, 1 + i);
    cborInt(w, numbers[i]);
  }
  if (fault->text[0] == 0) return;
  cborInt(w, 9);
  cborText(w, fault->text);
}

static Error start(Request *request, CborWriter *answer, Fault *fault) {
  request->config.seed = (uint32_t)request->number[2];
  begun = torn = false;
  Error error = need(request, 1 << 2, fault);
  if (error == OM_OK) error = loopLoad(&request->config, fault);
  if (error == OM_OK) error = loopRun((uint32_t)request->number[4], fault);
  if (error == OM_OK) putDone(answer, request, 0);
  return error;
}

/** The part of the learned state that offset (key 3) and `length` name. */
static Error findRange(const Request *request, uint64_t length, uint8_t **at, uint32_t *total, Fault *fault) {
  if (request->number[2] != REGION_STATE)
    return faultSet(fault, OM_NO_REGION, 0, (int32_t)request->number[2], 0);
  uint8_t *data;
  Error error = abiState(&data, total, fault);
  if (error != OM_OK) return error;
  if (length > MAX_READ) return faultSet(fault, OM_BAD_RANGE, 0, (int32_t)length, MAX_READ);
  uint64_t end = (uint64_t)request->number[3] + length;
  if (end > *total) {
    return faultSet(fault, OM_BAD_RANGE, 0, end > INT32_MAX ? INT32_MAX : (int32_t)end, (int32_t)*total);
  }
  *at = data + request->number[3];
  return OM_OK;
}

static Error readRegion(const Request *request, CborWriter *answer, Fault *fault) {
  uint8_t *at;
  uint32_t total;
  Error error = need(request, 1 << 2 | 1 << 3 | 1 << 4, fault);
  if (error == OM_OK) error = findRange(request, (uint64_t)request->number[4], &at, &total, fault);
  if (error != OM_OK) return error;
  putDone(answer, request, 3);
  cborInt(answer, 2);
  cborBytes(answer, at, (uint32_t)request->number[4]);
  cborInt(answer, 3);
  cborInt(answer, total);
  cborInt(answer, 4);
  cborInt(answer, loopSteps());
  return OM_OK;
}

static uint32_t wordOf(const uint8_t *state, uint32_t index) {
  uint32_t word;
  memcpy(&word, state + 4 * (size_t)index, sizeof word);
  return word;
}

/** Whether a checkpoint is of the model that has the state `own`. */
static Error checkMarks(const uint8_t *state, const uint8_t *own, Fault *fault) {
  for (uint32_t i = 0; i < STATE_MARKS; i++) {
    uint32_t got = wordOf(state, i), want = wordOf(own, i);
    if (got != want) return faultSet(fault, OM_STATE_MISMATCH, (int32_t)i, (int32_t)got, (int32_t)want);
  }
  return OM_OK;
}

/** Whether a checkpoint is whole; takes its check value away. */
static Error checkWhole(uint8_t *state, uint32_t total, Fault *fault) {
  uint32_t told = wordOf(state, STATE_CRC);
  if (told == 0) return OM_OK;
  memset(state + 4 * STATE_CRC, 0, 4);
  uint32_t found = crc32c(0, state, total);
  if (told == found) return OM_OK;
  return faultSet(fault, OM_STATE_MISMATCH, STATE_CRC, (int32_t)told, (int32_t)found);
}

/** Prepares the place where a checkpoint that begins with `first` is put together. */
static Error beginState(const uint8_t *first, uint32_t bytes, uint8_t *place, const uint8_t *state,
                        uint32_t total, Fault *fault) {
  if (place != state) {
    memcpy(place, state, total);
    return OM_OK;
  }
  // in place: whose it is must be known before the first byte is
  if (bytes < 4 * STATE_MARKS)
    return faultSet(fault, OM_BAD_RANGE, 0, (int32_t)bytes, (int32_t)(4 * STATE_MARKS));
  Error error = checkMarks(first, state, fault);
  if (error != OM_OK) return error;
  loopPause();
  torn = true;
  return OM_OK;
}

/** Puts a block of a checkpoint where it waits for the others; with the last one the whole is looked at, then taken. */
static Error writeState(const Request *request, uint8_t *state, uint32_t total, Fault *fault) {
  uint32_t offset = (uint32_t)request->number[3];
  uint32_t idle;
  uint8_t *whole = abiIdle(&idle);
  if (idle < total) whole = state;
  Error error = OM_OK;
  if (!begun || offset == 0) {
    uint32_t first = offset == 0 ? request->bytes[4] : 0;
    error = beginState(request->data[4], first, whole, state, total, fault);
  }
  if (error != OM_OK) return error;
  memcpy(whole + offset, request->data[4], request->bytes[4]);
  begun = !request->flag5;
  if (begun) return OM_OK;
  error = checkMarks(whole, state, fault);
  if (error == OM_OK) error = checkWhole(whole, total, fault);
  if (error != OM_OK) return error;
  if (whole != state) memcpy(state, whole, total);
  torn = false;
  return loopModuleCall(abiRestore(fault), fault);
}

static Error writeRegion(const Request *request, CborWriter *answer, Fault *fault) {
  uint8_t *at;
  uint32_t total;
  Error error = need(request, 1 << 2 | 1 << 3 | 1 << 4, fault);
  if (error == OM_OK) error = findRange(request, request->bytes[4], &at, &total, fault);
  if (error != OM_OK) return error;
  uint8_t *state = at - request->number[3];
  if (total >= STATE_HEADER && wordOf(state, 0) == STATE_MAGIC) {
    error = writeState(request, state, total, fault);
  } else {
    // no checkpoint: what it is, its module knows
    memcpy(at, request->data[4], request->bytes[4]);
    if (request->flag5) error = loopModuleCall(abiRestore(fault), fault);
  }
  if (error == OM_OK) putDoneAt(answer, request);
  return error;
}

static Error selfTest(const Request *request, CborWriter *answer, Fault *fault) {
  AbiConfig config = {.seed = 0, .params = 0};
  int32_t digest = 0;
  begun = torn = false;
  Error error = loopLoad(&config, fault);
  if (error == OM_OK) error = loopModuleCall(abiSelfTest(&digest, fault), fault);
  if (error != OM_OK) return error;
  // the golden vectors may have touched the module: it is forgotten, start loads it anew
  abiUnload();
  putDone(answer, request, 1);
  cborInt(answer, 2);
  cborInt(answer, digest);
  return OM_OK;
}

static Error message(const Request *request, CborWriter *answer, Fault *fault) {
  Error error = need(request, 1 << 2, fault);
  if (error == OM_OK) error = loopModuleCall(abiMessage(request->data[2], request->bytes[2], fault), fault);
  if (error == OM_OK) putDoneAt(answer, request);
  return error;
}

static Error digest(const Request *request, CborWriter *answer, Fault *fault) {
  uint8_t *data;
  uint32_t bytes;
  Error error = abiState(&data, &bytes, fault);
  if (error != OM_OK) return error;
  uint8_t value[SHA256_BYTES];
  Sha256 hash;
  sha256Start(&hash);
  sha256Take(&hash, data, bytes);
  sha256End(&hash, value);
  putDone(answer, request, 2);
  cborInt(answer, 2);
  cborBytes(answer, value, sizeof value);
  cborInt(answer, 3);
  cborInt(answer, loopSteps());
  return OM_OK;
}

static Error carryOut(Request *request, CborWriter *answer, Fault *fault) {
  Error error = OM_OK;
  switch (request->verb) {
  case START: return start(request, answer, fault);
  case PAUSE: loopPause(); break;
  case RESUME:
    error = torn ? faultSet(fault, OM_STATE_TORN, 0, 0, 0) : loopRun((uint32_t)request->number[4], fault);
    break;
  case READ: return readRegion(request, answer, fault);
  case WRITE: return writeRegion(request, answer, fault);
  case SELF_TEST: return selfTest(request, answer, fault);
  case MESSAGE: return message(request, answer, fault);
  case DIGEST: return digest(request, answer, fault);
  case STATUS:
    putDone(answer, request, 1);
    cborInt(answer, 2);
    loopPutState(answer);
    return OM_OK;
  default: return faultSet(fault, OM_UNKNOWN_VERB, 0, (int32_t)request->verb, 0);
  }
  if (error == OM_OK) putDone(answer, request, 0);
  return error;
}

bool requestHandle(const uint8_t *payload, uint32_t bytes, CborWriter *answer) {
  Request request;
  Fault fault;
  faultSet(&fault, OM_OK, 0, 0, 0);
  if (!readRequest(payload, bytes, &request, &fault)) return false;
  Error error = fault.code != OM_OK ? (Error)fault.code : carryOut(&request, answer, &fault);
  if (error != OM_OK) putRefusal(answer, &request, &fault);
  return true;
}

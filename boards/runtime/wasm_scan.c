// Reads a module's section headers with every bound checked; knows no instruction but i32.const and end.
#include "wasm_scan.h"

#include <string.h>

enum { SECTION_IMPORT = 2, SECTION_MEMORY = 5, SECTION_EXPORT = 7, SECTION_START = 8, SECTION_DATA = 11 };
enum { KIND_FUNCTION = 0 };

typedef struct Reader {
  const uint8_t *at, *end;
  bool bad; // sticky: once out of bounds, everything reads as zero
} Reader;

static uint8_t readByte(Reader *r) {
  if (r->at >= r->end) {
    r->bad = true;
    return 0;
  }
  return *r->at++;
}

/** LEB128 of 32 bits, signed or not (the sign extends). */
static uint32_t readLeb(Reader *r, bool isSigned) {
  uint32_t value = 0;
  for (uint32_t shift = 0; shift < 35; shift += 7) {
    uint8_t byte = readByte(r);
    value |= (uint32_t)(byte & 0x7f) << shift;
    if (byte & 0x80) continue;
    if (isSigned && (byte & 0x40) && shift < 28) value |= ~(uint32_t)0 << (shift + 7);
    return value;
  }
  r->bad = true;
  return 0;
}

/** Takes `bytes` from the reader: their start, or NULL when they are not there. */
static const uint8_t *readBytes(Reader *r, uint32_t bytes) {
  if (r->bad || bytes > (uint32_t)(r->end - r->at)) {
    r->bad = true;
    return NULL;
  }
  const uint8_t *start = r->at;
  r->at += bytes;
  return start;
}

typedef struct Name {
  const uint8_t *text;
  uint32_t bytes;
} Name;

static Name readName(Reader *r) {
  Name name;
  name.bytes = readLeb(r, false);
  name.text = readBytes(r, name.bytes);
  if (name.text == NULL) name.bytes = 0;
  return name;
}

static bool nameIs(Name name, const char *text) {
  return strlen(text) == name.bytes && memcmp(text, name.text, name.bytes) == 0;
}

static void appendName(Fault *fault, Name name) {
  char text[FAULT_TEXT];
  uint32_t bytes = name.bytes < FAULT_TEXT - 1 ? name.bytes : FAULT_TEXT - 1;
  for (uint32_t i = 0; i < bytes; i++) {
    text[i] = name.text[i] >= 0x20 && name.text[i] < 0x7f ? (char)name.text[i] : '?';
  }
  text[bytes] = 0;
  faultText(fault, text);
}

/** Enters the next section: its id, its body in `body`; −1 at the end of the module. */
static int nextSection(Reader *r, Reader *body) {
  if (r->bad || r->at == r->end) return -1;
  int id = readByte(r);
  uint32_t bytes = readLeb(r, false);
  body->at = readBytes(r, bytes);
  body->end = r->at;
  body->bad = body->at == NULL;
  return body->bad ? -1 : id;
}

static Error scanImports(Reader *body, const EngineImport *allowed, uint32_t allowedCount, WasmScan *scan,
                         Fault *fault) {
  uint32_t count = readLeb(body, false);
  for (uint32_t i = 0; i < count && !body->bad; i++) {
    Name module = readName(body);
    Name name = readName(body);
    uint8_t kind = readByte(body);
    const EngineImport *found = NULL;
    for (uint32_t k = 0; k < allowedCount && kind == KIND_FUNCTION && !body->bad; k++) {
      if (nameIs(module, allowed[k].module) && nameIs(name, allowed[k].name)) found = &allowed[k];
    }
    if (body->bad) break;
    if (found == NULL || scan->importCount == SCAN_MAX_IMPORTS) {
      faultSet(fault, OM_UNKNOWN_IMPORT, (int32_t)i, kind, KIND_FUNCTION);
      appendName(fault, module);
      faultText(fault, ".");
      appendName(fault, name);
      return OM_UNKNOWN_IMPORT;
    }
    (void)readLeb(body, false); // the function's type: the engine compares it
    scan->imports[scan->importCount++] = found;
  }
  return OM_OK;
}

static Error scanMemory(Reader *body, WasmScan *scan, Fault *fault) {
  uint32_t count = readLeb(body, false);
  uint8_t flags = readByte(body);
  uint32_t least = readLeb(body, false);
  uint32_t most = flags & 1 ? readLeb(body, false) : 0;
  if (body->bad) return OM_OK; // the caller reports it
  if (count != 1 || flags != 1 || least != most || least == 0 || least > 65535) {
    return faultSet(fault, OM_MEMORY_NOT_FIXED, 0, (int32_t)least, flags & 1 ? (int32_t)most : -1);
  }
  scan->memoryBytes = least << 16;
  return OM_OK;
}

static void scanData(Reader *body, WasmScan *scan) {
  enum { I32_CONST = 0x41, END = 0x0b };
  uint32_t count = readLeb(body, false);
  for (uint32_t i = 0; i < count && !body->bad; i++) {
    uint32_t flags = readLeb(body, false);
    uint32_t offset = 0;
    if (flags == 0) {
      if (readByte(body) != I32_CONST) body->bad = true;
      offset = readLeb(body, true);
      if (readByte(body) != END) body->bad = true;
    } else if (flags != 1) {
      body->bad = true;
    }
    uint32_t bytes = readLeb(body, false);
    (void)readBytes(body, bytes);
    uint64_t end = (uint64_t)offset + bytes;
    if (flags != 0 || body->bad) continue;
    if (end > scan->memoryBytes) body->bad = true;
    if (end > scan->dataEnd) scan->dataEnd = (uint32_t)end;
  }
}

Error wasmScan(const uint8_t *wasm, uint32_t bytes, const EngineImport *allowed, uint32_t allowedCount,
               WasmScan *scan, Fault *fault) {
  static const uint8_t header[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  memset(scan, 0, sizeof *scan);
  if (bytes < sizeof header || memcmp(wasm, header, sizeof header) != 0) {
    return faultSet(fault, OM_BAD_MODULE, 0, (int32_t)bytes, (int32_t)sizeof header);
  }
  Reader r = {wasm + sizeof header, wasm + bytes, false};
  Reader body;
  for (int id = nextSection(&r, &body); id >= 0; id = nextSection(&r, &body)) {
    Error error = OM_OK;
    if (id == SECTION_IMPORT) error = scanImports(&body, allowed, allowedCount, scan, fault);
    if (id == SECTION_MEMORY) error = scanMemory(&body, scan, fault);
    if (id == SECTION_START) error = faultSet(fault, OM_START_SECTION, 0, 0, 0);
    if (id == SECTION_DATA) scanData(&body, scan);
    if (error != OM_OK) return error;
    if (body.bad) return faultSet(fault, OM_BAD_MODULE, (int32_t)(body.at ? body.at - wasm : 0), 0, 0);
  }
  if (r.bad) return faultSet(fault, OM_BAD_MODULE, (int32_t)(r.at - wasm), 0, 0);
  if (scan->memoryBytes == 0) return faultSet(fault, OM_MEMORY_NOT_FIXED, 0, 0, 0);
  return OM_OK;
}

bool wasmExportsFunction(const uint8_t *wasm, uint32_t bytes, const char *name) {
  Reader r = {wasm + 8, wasm + bytes, false};
  Reader body;
  for (int id = nextSection(&r, &body); id >= 0; id = nextSection(&r, &body)) {
    if (id != SECTION_EXPORT) continue;
    uint32_t count = readLeb(&body, false);
    for (uint32_t i = 0; i < count && !body.bad; i++) {
      Name export = readName(&body);
      uint8_t kind = readByte(&body);
      (void)readLeb(&body, false);
      if (!body.bad && kind == KIND_FUNCTION && nameIs(export, name)) return true;
    }
  }
  return false;
}

// Shared by the two halves of the module ABI: abi.c (what a module is asked) and abi_imports.c (what it asks).
#ifndef OM_ABI_IMPORTS_H
#define OM_ABI_IMPORTS_H

#include "abi.h"
#include "linear.h"

/** What host functions need to know of the module that calls them. */
typedef struct AbiContext {
  const AbiHost *host;
  Linear memory;
  Fault fault; // what the host function that returned false has to say
  uint32_t samples;
  uint32_t sequence;
} AbiContext;

extern AbiContext abiContext;

/** The allow-list: every name that a module may import. */
extern const EngineImport abiImports[];
extern const uint32_t abiImportCount;

#endif

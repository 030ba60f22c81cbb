// Requests of the host (docs/protocol.md, "Requests"): read, checked, carried out, answered. Between the link, which
// delivers them, and the loop, which runs the module.
#ifndef OM_REQUESTS_H
#define OM_REQUESTS_H

#include "abi.h"
#include "cbor.h"

/** Carries out a request and writes its answer; false when not even its id can be read. */
bool requestHandle(const uint8_t *payload, uint32_t bytes, CborWriter *answer);

// What requests need of the loop (loop.c).

/** Loads the module anew and runs `initialize` and `init`. It does not run yet. */
MUST_CHECK Error loopLoad(const AbiConfig *config, Fault *fault);
/** Lets a loaded module step; pauses by itself after `steps`, 0: no end. */
MUST_CHECK Error loopRun(uint32_t steps, Fault *fault);
void loopPause(void);
/** Steps since the start. */
uint32_t loopSteps(void);
/** After a call into the module: an error that stopped it becomes the device's error. Returns `error`. */
Error loopModuleCall(Error error, const Fault *fault);
void loopPutState(CborWriter *w);

#endif

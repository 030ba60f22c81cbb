// A board for targets that run a module: a pool of the size of a small device's, a sensor of 4×4 images, time that
// stands still unless it is moved.
#ifndef OM_FUZZ_BOARD_H
#define OM_FUZZ_BOARD_H

#include "hal.h"

extern uint64_t boardNow;

/** The board, with the counter module of FUZZ_MODULE, which it reads once. */
const Board *fuzzBoard(void);

#endif

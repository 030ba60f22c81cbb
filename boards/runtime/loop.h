// The main loop of every board: link in, a step when the sensor has a frame, link out, sleep when nothing is due.
#ifndef OM_LOOP_H
#define OM_LOOP_H

#include "hal.h"

/** Takes over; `board` must stay where it is. Starts the module if the board says so. */
void loopInit(const Board *board);

/** One round. It returns after at most about a second, or as long as one step takes. */
void loopOnce(void);

/** Tells the loop that its connection was made anew. */
void loopReconnected(void);

/** Writes a line to the link's log; level 0 error, 1 warning, 2 info, 3 debug. */
void loopLog(int32_t level, const char *text);

#endif

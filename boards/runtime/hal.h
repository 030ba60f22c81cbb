// What a board gives the runtime: bytes in and out, time, memory, a sensor, its name. The runtime calls these and
// knows nothing else of the hardware.
#ifndef OM_HAL_H
#define OM_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One frame of a sensor: int8, NHWC, h·w·c bytes that stay valid until the next call. */
typedef struct SensorFrame {
  const int8_t *data;
  uint32_t h, w, c;
  int32_t label; // −1: none
  bool heldOut;
} SensorFrame;

/** A source of frames. */
typedef struct Sensor {
  void *self;
  /** Whether a frame is waiting. */
  bool (*ready)(void *self);
  /** Takes the next frame; false when none is waiting. */
  bool (*next)(void *self, SensorFrame *frame);
  /** Starts again at the beginning, where that means something; may be NULL. */
  void (*rewind)(void *self);
} Sensor;

typedef struct Board {
  const char *id, *name;
  /** The module's bytes, which stay where they are (flash); NULL and 0 without one. */
  const uint8_t *module;
  uint32_t moduleBytes;
  const Sensor *sensor;
  /** The pool: everything that a module needs at run time. 16-byte aligned. */
  void *pool;
  size_t poolBytes;
  /** The module's own stack, in the pool. */
  uint32_t moduleStack;
  /** The lowest address that the C stack may reach while a module is compiled or runs; NULL: nobody looks. */
  const void *stackBound;
  /** Bytes of the C stack set aside (0: the operating system's), and of .data and .bss without pool and stack. */
  uint32_t cStack, staticBytes;
  /** Whether to start by itself, and with which seed. */
  bool autostart;
  uint32_t seed;
  /** A number that differs from boot to boot, so that the far side notices a reset. */
  uint32_t bootNumber;
  /** The greatest rate of steps, per second; 0: as fast as it goes. */
  uint32_t maxStepsPerSecond;

  /** Takes up to `bytes` that have arrived, without waiting; returns how many. */
  size_t (*read)(uint8_t *data, size_t bytes);
  /** Sends as much as goes without waiting; returns how many bytes were taken. */
  size_t (*write)(const uint8_t *data, size_t bytes);
  /** Milliseconds since boot. */
  uint64_t (*millis)(void);
  /** Sleeps until a byte arrives, output that did not go can go on, or `ms` have passed. */
  void (*wait)(uint32_t ms, bool outputPending);
} Board;

#endif

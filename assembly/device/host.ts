// What a module may ask of its host: the import module `octomote_1` (docs/abi.md), in the order of that page.

/** Ends the call with a trap; the host turns the numbers into a sentence (docs/errors.md). Never returns. */
// @ts-ignore: decorator
@external("octomote_1", "fail")
declare function hostFail(code: i32, where: i32, got: i32, want: i32): void;

/** Fills a frame struct: 1 a new frame, 0 none, −1 the sensor's shape differs. */
// @ts-ignore: decorator
@external("octomote_1", "sensorRead")
export declare function hostSensorRead(frame: usize): i32;

/** Sends bytes on a channel (0 state record, 1 features): 0 taken, −1 refused. */
// @ts-ignore: decorator
@external("octomote_1", "publish")
export declare function hostPublish(channel: i32, pointer: usize, length: i32): i32;

/** Writes UTF-16 text to the device's log. */
// @ts-ignore: decorator
@external("octomote_1", "log")
export declare function hostLog(level: i32, pointer: usize, units: i32): void;

/** Milliseconds since boot. Nothing that learns may depend on it. */
// @ts-ignore: decorator
@external("octomote_1", "clock")
export declare function hostClock(): i64;

/** Ends the call with a named error; the type says that nothing follows. */
export function fail(code: i32, where: i32, got: i32, want: i32): void {
  hostFail(code, where, got, want);
  unreachable();
}

// The errors of this layer: a request to a device failed, a stream to a device could not be had.

import { describeFault, errorName, type Fault } from "../protocol/errors.ts";
import type { Verb } from "../protocol/requests.ts";

export class RequestError extends Error {
  override readonly name = "RequestError";
  /** A code of docs/errors.md. */
  readonly code: number;
  /** The code's name, such as `timeout`. */
  readonly reason: string;
  readonly verb: Verb;
  readonly device: string;
  readonly fault: Fault;

  /** @param device the device's id, or the transport's name while no device has said hello. */
  constructor(device: string, verb: Verb, fault: Fault) {
    super(`${device}: ${verb} failed: ${describeFault(fault)}`);
    this.code = fault.code;
    this.reason = errorName(fault.code);
    this.verb = verb;
    this.device = device;
    this.fault = fault;
  }
}

/** A stream to a device could not be opened, or broke; `fix` says what to do. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly fix: string;

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.fix = fix;
  }
}

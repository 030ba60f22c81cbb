// The device's end of the link in TypeScript, as boards/runtime/link.c is in C: greets, carries out requests one at a
// time, sends streams. Node devices and the tests' simulated devices use it; what the device does is its user's.

import { GoBackN, WINDOW } from "../link/go-back-n.ts";
import { MessageError } from "../protocol/cbor.ts";
import type { Fault } from "../protocol/errors.ts";
import { encodeFrame, type Frame, FrameDecoder, FrameType, PROTOCOL_VERSION } from "../protocol/frame.ts";
import {
  decodeWelcome,
  encodeFeatures,
  encodeHello,
  encodeLog,
  encodeState,
  type Hello,
  type LogMessage,
  MAX_FEATURES,
  type State,
} from "../protocol/messages.ts";
import {
  type Answers,
  type BadRequest,
  decodeRequest,
  encodeAnswer,
  encodeRefusal,
  type Request,
  type Verb,
  type WireArgs,
} from "../protocol/requests.ts";

/** Thrown by a handler: the request is refused with this fault. */
export class DeviceFault extends Error {
  override readonly name = "DeviceFault";
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.text ?? `error ${fault.code}`);
    this.fault = fault;
  }
}

/** What carries out each verb; a DeviceFault refuses. */
export type Handlers = { [V in Verb]: (args: WireArgs[V]) => Answers[V] | Promise<Answers[V]> };

export interface DeviceUser {
  /** Puts bytes on the wire; false if it takes none now. */
  send(bytes: Uint8Array): boolean;
  hello(): Omit<Hello, "protocol" | "epoch" | "count">;
  /** The state if there is something new to tell; asked every 100 ms while the link is up. */
  state(): State | null;
  readonly handlers: Handlers;
}

const HELLO_MS = 500;
const STATE_MS = 100;
/** Requests and answers that may wait, before requests are left to the host to send again. */
const MAX_WAITING = 2 * WINDOW;
/** Stream frames that may wait. */
const MAX_STREAMS = 32;

export class DeviceEndpoint {
  /** Bytes that were sent. */
  bytesSent = 0;
  /** Stream frames that were given up, because they waited too long. */
  dropped = 0;

  readonly #user: DeviceUser;
  readonly #decoder: FrameDecoder;
  readonly #channel: GoBackN;
  #epoch: number;
  /** Hellos of this epoch. */
  #hellos = 0;
  #welcomed = false;
  #streamSequence = 0;
  #streams: { type: number; payload: Uint8Array }[] = [];
  #requests: (Request | BadRequest)[] = [];
  #busy = false;
  #helloTimer: ReturnType<typeof setTimeout> | null = null;
  #stateTimer: ReturnType<typeof setInterval> | null = null;

  /** @param epoch of the first hello; better not the same after each start. */
  constructor(user: DeviceUser, epoch: number) {
    this.#user = user;
    this.#epoch = epoch >>> 0;
    this.#decoder = new FrameDecoder({ frame: (frame) => this.#frame(frame) });
    this.#channel = new GoBackN({
      send: (type, sequence, payload) => this.#send(type, payload, sequence, true),
      ack: (sequence) => this.#send(FrameType.ack, NO_PAYLOAD, sequence, false),
      dead: () => this.reset(),
    });
  }

  /** Whether the host has welcomed this device. */
  get isUp(): boolean {
    return this.#welcomed;
  }

  /** Begins to say hello. */
  start(): void {
    this.#stateTimer ??= setInterval(() => this.#pump(), STATE_MS);
    this.#hello();
  }

  stop(): void {
    this.#end();
    if (this.#stateTimer !== null) clearInterval(this.#stateTimer);
    this.#stateTimer = null;
  }

  /** Begins a new epoch: for a connection that has come and gone. */
  reset(): void {
    this.#end();
    this.#epoch = (this.#epoch + 1) >>> 0;
    this.#hellos = 0;
    this.#hello();
  }

  receive(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
  }

  log(message: LogMessage): void {
    this.#stream(FrameType.log, encodeLog(message));
  }

  /** False if the bytes do not fit a frame: at most MAX_FEATURES. */
  features(bytes: Uint8Array): boolean {
    if (bytes.length > MAX_FEATURES) return false;
    this.#stream(FrameType.features, encodeFeatures(bytes));
    return true;
  }

  #end(): void {
    this.#welcomed = false;
    this.#channel.clear();
    this.#requests = [];
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer);
    this.#helloTimer = null;
  }

  #hello(): void {
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer);
    const count = ++this.#hellos;
    const hello = { ...this.#user.hello(), protocol: PROTOCOL_VERSION, epoch: this.#epoch, count };
    this.#send(FrameType.hello, encodeHello(hello), 0, false);
    this.#helloTimer = setTimeout(() => this.#hello(), HELLO_MS);
  }

  #frame(frame: Frame): void {
    if (frame.type === FrameType.helloRequest) {
      if (this.#welcomed) this.reset();
      else this.#hello();
      return;
    }
    if (frame.epoch !== this.#epoch % 16) return;
    try {
      if (frame.type === FrameType.welcome) this.#welcome(decodeWelcome(frame.payload));
      else if (!this.#welcomed) return;
      else if (frame.type === FrameType.ack) this.#channel.acknowledge(frame.sequence);
      else if (frame.type === FrameType.request && frame.reliable) this.#request(frame);
    } catch (error) {
      // A message that not even an answer can be given to: the host's time limit tells it.
      if (!(error instanceof MessageError)) throw error;
    }
  }

  #welcome(epoch: number): void {
    if (this.#welcomed || epoch !== this.#epoch) return;
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer);
    this.#helloTimer = null;
    this.#welcomed = true;
    this.#streamSequence = 0;
    this.#channel.start();
    this.#pump();
  }

  #request(frame: Frame): void {
    if (this.#requests.length + this.#channel.pending >= MAX_WAITING) return;
    if (!this.#channel.receive(frame.sequence)) return;
    this.#requests.push(decodeRequest(frame.payload));
    void this.#serve();
  }

  /** Carries out what waits, in order. An answer belongs to the epoch of its request. */
  async #serve(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let request = this.#requests.shift(); request !== undefined; request = this.#requests.shift()) {
      const epoch = this.#epoch;
      const answer = await this.#carryOut(request);
      if (this.#welcomed && epoch === this.#epoch) this.#channel.push(FrameType.response, answer);
    }
    this.#busy = false;
  }

  async #carryOut(request: Request | BadRequest): Promise<Uint8Array> {
    if (request.verb === null) return encodeRefusal(request.id, request.fault);
    try {
      return await answerOf(this.#user.handlers, request.id, request.verb, request.args);
    } catch (error) {
      if (error instanceof DeviceFault) return encodeRefusal(request.id, error.fault);
      const text = error instanceof Error ? error.message : String(error);
      return encodeRefusal(request.id, { code: GENERAL_TRAP, text: text.slice(0, 79) });
    }
  }

  #stream(type: number, payload: Uint8Array): void {
    this.#streams.push({ type, payload });
    if (this.#streams.length > MAX_STREAMS) {
      this.#streams.shift();
      this.dropped++;
    }
    if (this.#welcomed) this.#drain();
  }

  #pump(): void {
    if (!this.#welcomed) return;
    this.#drain();
    const state = this.#streams.length === 0 ? this.#user.state() : null;
    // What the wire does not take is not lost: the next state says more.
    if (state !== null) this.#sendStream(FrameType.state, encodeState(state));
  }

  #drain(): void {
    for (let next = this.#streams[0]; next !== undefined; next = this.#streams[0]) {
      if (!this.#sendStream(next.type, next.payload)) return;
      this.#streams.shift();
    }
  }

  #sendStream(type: number, payload: Uint8Array): boolean {
    const sent = this.#send(type, payload, this.#streamSequence, false);
    if (sent) this.#streamSequence = (this.#streamSequence + 1) % 0x10000;
    return sent;
  }

  #send(type: number, payload: Uint8Array, sequence: number, reliable: boolean): boolean {
    const bytes = encodeFrame({ type, reliable, epoch: this.#epoch % 16, sequence, payload });
    const sent = this.#user.send(bytes);
    if (sent) this.bytesSent += bytes.length;
    return sent;
  }
}

const NO_PAYLOAD = new Uint8Array(0);
/** `trap`: any error that has no code of its own. */
const GENERAL_TRAP = 49;

async function answerOf<V extends Verb>(handlers: Handlers, id: number, verb: V, args: WireArgs[V]) {
  return encodeAnswer(id, verb, await handlers[verb](args));
}

// The host's end of a link to one device (docs/protocol.md): greets it, keeps requests and answers reliable, hands on
// its streams, and finds it again after a reset, noise or a lost connection. What the messages mean is the caller's.

import { EventEmitter } from "node:events";
import { type Fault, HostError } from "../protocol/errors.ts";
import { encodeFrame, type Frame, FrameDecoder, FrameType, PROTOCOL_VERSION } from "../protocol/frame.ts";
import {
  decodeFeatures,
  decodeHello,
  decodeLog,
  decodeState,
  encodeWelcome,
  type Hello,
  type LogMessage,
  MessageError,
  type State,
} from "../protocol/messages.ts";
import {
  type Answers,
  decodeAnswer,
  decodeResponse,
  encodeRequest,
  type RequestArgs,
  type Response,
  type Verb,
} from "../protocol/requests.ts";
import { RequestError } from "./errors.ts";
import { GoBackN, type Outgoing } from "./go-back-n.ts";
import { StreamCounter } from "./stream-counter.ts";
import type { Transport } from "./transport.ts";
import { type Order, Waitress, withStack } from "./waitress.ts";

export interface DeviceLinkEvents {
  /** The device has introduced itself: at the start of each epoch, before `up`. */
  hello: [Hello];
  /** Requests are carried from now on. */
  up: [];
  /** The epoch has ended, and why; requests that were under way have failed. `up` follows when the device is back. */
  down: [reason: string];
  /** The transport is gone for good; nothing follows. */
  close: [];
  state: [State];
  log: [LogMessage];
  features: [Uint8Array];
  /** A request was carried out: told as its answer comes, in the order of the wire, before whatever comes behind it. */
  answered: [Answered];
  /** Text that the device printed between frames. */
  text: [string];
  /** The device sent something that does not follow the protocol; told once for each kind. */
  problem: [MessageError];
}

/** A request that a device has carried out. */
export type Answered = { [V in Verb]: { verb: V; args: RequestArgs[V]; answer: Answers[V] } }[Verb];

export interface LinkStats {
  bytesIn: number;
  bytesOut: number;
  /** Valid frames. */
  framesIn: number;
  framesOut: number;
  /** Chunks that were neither frame nor text. */
  bad: number;
  /** Bytes in those chunks. */
  noise: number;
  /** Valid frames of another epoch. */
  stale: number;
  /** Valid frames whose message was not. */
  malformed: number;
  /** Stream frames that the counter says were lost on the way. */
  lost: number;
  /** Reliable frames that were sent again. */
  resent: number;
  /** Frames that the transport did not take. */
  refused: number;
  /** Answers that nobody waited for any more. */
  late: number;
  /** Times the link came up. */
  epochs: number;
}

export interface DeviceLinkOptions {
  /** Default of `request`: 10 s. */
  timeoutMs?: number;
  /** Requests that may wait at a time: 64. */
  limit?: number;
  /** After so long without a sign of life the device is asked for its status: 10 s. */
  idleMs?: number;
}

export interface RequestOptions {
  timeoutMs?: number;
}

/** Arguments are optional for verbs that need none. */
type RequestRest<V extends Verb> =
  Record<never, never> extends RequestArgs[V]
    ? [args?: RequestArgs[V], options?: RequestOptions]
    : [args: RequestArgs[V], options?: RequestOptions];

/** helloRequests: after 0.5 s again, doubling up to 4 s. */
const ASK_FIRST_MS = 500;
const ASK_MAX_MS = 4000;
/** Longer than it takes to find a link dead. */
const PROBE_TIMEOUT_MS = 30_000;
/** Kinds of problems that are told; a device that invents new ones is only counted. */
const MAX_PROBLEMS = 16;

export class DeviceLink extends EventEmitter<DeviceLinkEvents> {
  readonly transport: Transport;
  /** The last introduction, also while the link is down. */
  hello: Hello | undefined;

  readonly #options: Required<DeviceLinkOptions>;
  readonly #decoder: FrameDecoder;
  readonly #channel: GoBackN;
  readonly #waitress = new Waitress<Response>();
  readonly #pending = new Map<
    number,
    { frame: Outgoing; order: Order<Response>; verb: Verb; args: RequestArgs[Verb] }
  >();
  readonly #streams = new StreamCounter();
  readonly #problems = new Set<string>();
  readonly #stats = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, bad: 0, noise: 0 };
  readonly #counts = { stale: 0, malformed: 0, refused: 0, late: 0, epochs: 0 };
  #epoch = 0;
  #up = false;
  #closed = false;
  #nextId = 1;
  #heard = false;
  #lastError = "";
  #askTimer: NodeJS.Timeout | null = null;
  readonly #idleTimer: NodeJS.Timeout;

  /** Begins at once to look for the device; listeners that are added in the same turn miss nothing. */
  constructor(transport: Transport, options: DeviceLinkOptions = {}) {
    super();
    this.transport = transport;
    this.#options = { timeoutMs: 10_000, limit: 64, idleMs: 10_000, ...options };
    this.#decoder = new FrameDecoder({
      frame: (frame) => this.#frame(frame),
      text: (text) => this.emit("text", text),
      noise: (bytes) => {
        this.#stats.bad++;
        this.#stats.noise += bytes;
      },
    });
    this.#channel = new GoBackN({
      send: (type, sequence, payload) => this.#send(type, payload, sequence, true),
      ack: (sequence) => this.#send(FrameType.ack, NO_PAYLOAD, sequence, false),
      dead: () => {
        this.#end("the device does not acknowledge any more");
        this.#ask(ASK_FIRST_MS);
      },
    });
    transport.on("data", (bytes) => {
      this.#stats.bytesIn += bytes.length;
      if (!this.#closed) this.#decoder.push(bytes);
    });
    transport.on("open", () => {
      this.#decoder.reset();
      this.#ask(ASK_FIRST_MS);
    });
    transport.on("lost", () => this.#lost());
    transport.on("error", (error) => {
      this.#lastError = error.message;
    });
    transport.on("close", () => this.#gone());
    this.#idleTimer = setInterval(() => this.#probe(), this.#options.idleMs);
    queueMicrotask(() => this.#ask(ASK_FIRST_MS));
  }

  /** The device has been welcomed and requests are carried. */
  get isUp(): boolean {
    return this.#up;
  }

  /** The device's id, or the transport's name while it has not said hello. */
  get name(): string {
    return this.hello?.id ?? this.transport.name;
  }

  /** Counters since the link was made. */
  get stats(): LinkStats {
    return { ...this.#stats, ...this.#counts, lost: this.#streams.lost, resent: this.#channel.resent };
  }

  /**
   * Asks the device for something. While the link is down the request waits, within its time, for the link to come up.
   * It is carried out at most once.
   * @throws RequestError with the device's own code, or `timeout`, `link-down`, `busy`, `bad-request`, `bad-message`.
   */
  async request<V extends Verb>(verb: V, ...rest: RequestRest<V>): Promise<Answers[V]> {
    const caller = new Error();
    const error = (fault: Fault) => withStack(new RequestError(this.name, verb, fault), caller);
    const [args = {} as RequestArgs[V], { timeoutMs = this.#options.timeoutMs } = {}] = rest;
    if (this.#closed) throw error({ code: HostError.linkDown, text: this.#reason("the link was closed") });
    const limit = this.#options.limit;
    if (this.#pending.size >= limit || this.#channel.pending >= limit) {
      throw error({ code: HostError.busy, got: this.#pending.size, want: limit });
    }
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    let payload: Uint8Array;
    try {
      payload = encodeRequest(id, verb, args);
    } catch (cause) {
      if (!(cause instanceof MessageError)) throw cause;
      throw error({ code: HostError.badRequest, text: cause.message });
    }
    const late = () => error({ code: HostError.timeout, text: `${timeoutMs} ms` });
    const order = this.#waitress.order((answer) => answer.id === id, timeoutMs, late);
    const frame = this.#channel.push(FrameType.request, payload);
    this.#pending.set(id, {
      frame,
      verb,
      args,
      order: {
        ...order,
        fail: (cause) => order.fail(error({ code: HostError.linkDown, text: cause.message })),
      },
    });
    try {
      const answer = await order.answer;
      if (answer.fault.code !== 0) throw error(answer.fault);
      return decodeAnswer(verb, answer);
    } catch (cause) {
      if (!(cause instanceof MessageError)) throw cause;
      this.#problem(cause);
      throw error({ code: HostError.badMessage, text: cause.message });
    } finally {
      this.#pending.delete(id);
      this.#channel.cancel(frame);
    }
  }

  /** Ends the link and its transport; what waits fails with `link-down`. */
  async close(): Promise<void> {
    this.#gone();
    await this.transport.close();
  }

  #frame(frame: Frame): void {
    this.#heard = true;
    this.#stats.framesIn++;
    try {
      if (frame.type === FrameType.hello) this.#hello(decodeHello(frame.payload));
      else if (!this.#up || frame.epoch !== this.#epoch % 16) this.#counts.stale++;
      else if (frame.type === FrameType.ack) this.#channel.acknowledge(frame.sequence);
      else if (frame.reliable) this.#reliable(frame);
      else this.#stream(frame);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#counts.malformed++;
      this.#problem(error);
    }
  }

  #hello(hello: Hello): void {
    if (hello.protocol !== PROTOCOL_VERSION) {
      const versions = `protocol ${hello.protocol}, but this host speaks ${PROTOCOL_VERSION}`;
      throw new MessageError(`${hello.id} speaks ${versions}: update the older of the two`);
    }
    if (this.#up && hello.epoch === this.#epoch) {
      // The same epoch again. If our welcome was lost, the device has taken nothing since, both sides still count from 0, and
      // what is on the wire comes again.
      const later = hello.count !== undefined && hello.count > (this.hello?.count ?? 0);
      if (!this.#channel.progress && (later || this.#channel.clean)) {
        this.hello = hello;
        this.#welcome();
        return;
      }
      // Otherwise it was reset and has taken the same number, so that what was on the wire may have been carried out; or
      // the wire has repeated a hello. To ask ends the epoch of a device that was not reset.
      this.#end("the device has started anew");
      this.#ask(ASK_FIRST_MS);
      return;
    }
    this.#end("the device has started anew");
    this.#stopAsking();
    this.#lastError = "";
    this.hello = hello;
    this.#epoch = hello.epoch;
    this.#up = true;
    this.#counts.epochs++;
    this.#streams.start();
    this.#welcome();
    this.#channel.start();
    this.emit("hello", hello);
    this.emit("up");
  }

  #welcome(): void {
    this.#send(FrameType.welcome, encodeWelcome(this.#epoch), 0, false);
  }

  #reliable(frame: Frame): void {
    if (!this.#channel.receive(frame.sequence) || frame.type !== FrameType.response) return;
    const response = decodeResponse(frame.payload);
    const asked = this.#pending.get(response.id);
    if (!this.#waitress.serve(response)) this.#counts.late++;
    else if (asked && response.fault.code === 0 && this.listenerCount("answered") > 0) {
      const { verb, args } = asked;
      this.emit("answered", { verb, args, answer: decodeAnswer(verb, response) } as Answered);
    }
  }

  #stream(frame: Frame): void {
    if (!this.#streams.take(frame.sequence)) return;
    if (frame.type === FrameType.state) this.emit("state", decodeState(frame.payload));
    else if (frame.type === FrameType.log) this.emit("log", decodeLog(frame.payload));
    else if (frame.type === FrameType.features) this.emit("features", decodeFeatures(frame.payload));
  }

  #problem(error: MessageError): void {
    if (this.#problems.size >= MAX_PROBLEMS || this.#problems.has(error.message)) return;
    this.#problems.add(error.message);
    this.emit("problem", error);
  }

  /** The epoch is over; what was on the wire fails, what still waits is kept for the next epoch. */
  #end(reason: string): void {
    if (!this.#up) return;
    this.#up = false;
    this.#channel.stop();
    for (const { frame, order } of this.#pending.values()) if (frame.sent) order.fail(new Error(reason));
    this.emit("down", reason);
  }

  #ask(delay: number): void {
    this.#stopAsking();
    if (this.#up || this.#closed) return;
    this.#send(FrameType.helloRequest, NO_PAYLOAD, 0, false);
    this.#askTimer = setTimeout(() => this.#ask(Math.min(delay * 2, ASK_MAX_MS)), delay);
  }

  #stopAsking(): void {
    if (this.#askTimer !== null) clearTimeout(this.#askTimer);
    this.#askTimer = null;
  }

  /** A device that is silent may be unplugged without the transport's knowing. */
  #probe(): void {
    const silent = !this.#heard;
    this.#heard = false;
    if (!silent || !this.#up || this.#channel.pending > 0) return;
    this.request("status", {}, { timeoutMs: PROBE_TIMEOUT_MS }).then(
      (state) => this.emit("state", state),
      // If nobody answers, the channel finds the link dead and says so with `down`.
      () => undefined,
    );
  }

  #lost(): void {
    this.#stopAsking();
    this.#end(this.#reason("the connection was lost"));
  }

  #gone(): void {
    if (this.#closed) return;
    this.#stopAsking();
    clearInterval(this.#idleTimer);
    const reason = this.#reason("the link was closed");
    this.#end(reason);
    this.#closed = true;
    for (const { order } of this.#pending.values()) order.fail(new Error(reason));
    this.emit("close");
  }

  #reason(what: string): string {
    return this.#lastError === "" ? what : `${what}: ${this.#lastError}`;
  }

  #send(type: number, payload: Uint8Array, sequence: number, reliable: boolean): void {
    const bytes = encodeFrame({ type, reliable, epoch: this.#epoch % 16, sequence, payload });
    if (this.transport.send(bytes)) {
      this.#stats.framesOut++;
      this.#stats.bytesOut += bytes.length;
    } else this.#counts.refused++;
  }
}

const NO_PAYLOAD = new Uint8Array(0);

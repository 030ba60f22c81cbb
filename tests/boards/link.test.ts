// The device's end of the link, byte by byte: what a DeviceLink would never send, and what a wire does to frames.
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { encodeFrame, type Frame, FrameDecoder, FrameType } from "../../host/protocol/frame.ts";
import { decodeHello, encodeWelcome, type Hello } from "../../host/protocol/messages.ts";
import { decodeResponse, encodeRequest } from "../../host/protocol/requests.ts";
import { requires } from "../support/requirements.ts";
import { scratchFolder, spawnDevice } from "./support/device.ts";
import { COUNTER, compileModule, sampleFile } from "./support/modules.ts";

const NOTHING = new Uint8Array(0);

/** A raw peer: sends frames as they are told, and waits for frames that satisfy. */
class Peer {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number | null>;
  epoch = 0;
  stderr = "";
  readonly #seen: Frame[] = [];
  #wake: (() => void) | null = null;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    this.ended = new Promise((done) => child.once("close", done));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    const decoder = new FrameDecoder({
      frame: (frame) => {
        this.#seen.push({ ...frame, payload: frame.payload.slice() });
        this.#wake?.();
      },
    });
    child.stdout.on("data", (bytes: Uint8Array) => decoder.push(bytes));
    void this.ended.then(() => this.#wake?.());
  }

  raw(bytes: Uint8Array): void {
    this.child.stdin.write(bytes);
  }

  send(type: number, payload: Uint8Array, more: Partial<Frame> = {}): void {
    this.raw(this.wire(type, payload, more));
  }

  wire(type: number, payload: Uint8Array, more: Partial<Frame> = {}): Uint8Array {
    return encodeFrame({ type, reliable: false, epoch: this.epoch & 15, sequence: 0, payload, ...more });
  }

  request(sequence: number, payload: Uint8Array, more: Partial<Frame> = {}): void {
    this.send(FrameType.request, payload, { reliable: true, sequence, ...more });
  }

  ack(sequence: number): void {
    this.send(FrameType.ack, NOTHING, { sequence });
  }

  /** Takes the first frame that satisfies; earlier ones of other kinds stay. */
  async take(satisfies: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const at = this.#seen.findIndex(satisfies);
      if (at >= 0) return this.#seen.splice(at, 1)[0] as Frame;
      if (this.child.exitCode !== null) throw new Error(`the device ended:\n${this.stderr}`);
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  count(satisfies: (frame: Frame) => boolean): number {
    return this.#seen.filter(satisfies).length;
  }

  async hello(): Promise<Hello> {
    const frame = await this.take(({ type }) => type === FrameType.hello);
    const hello = decodeHello(frame.payload);
    expect(frame).toMatchObject({ reliable: false, sequence: 0, epoch: hello.epoch & 15 });
    this.epoch = hello.epoch;
    return hello;
  }

  async up(): Promise<void> {
    const { epoch } = await this.hello();
    this.send(FrameType.welcome, encodeWelcome(epoch));
    await this.take(({ type }) => type === FrameType.state);
  }

  async response(sequence: number): Promise<ReturnType<typeof decodeResponse>> {
    const frame = await this.take((it) => it.type === FrameType.response && it.sequence === sequence);
    expect(frame.reliable).toBe(true);
    return decodeResponse(frame.payload);
  }
}

const status = (id: number) => encodeRequest(id, "status", {});
const isAck = (sequence: number) => (frame: Frame) =>
  frame.type === FrameType.ack && frame.sequence === sequence;
const isResponse = ({ type }: Frame) => type === FrameType.response;

requires("gcc").describe("the link of a device, under sanitizers", () => {
  let files: Awaited<ReturnType<typeof scratchFolder>>;
  let args: string[];
  let peer: Peer;

  beforeAll(async () => {
    files = await scratchFolder();
    const module = await files.write("counter.wasm", await compileModule(COUNTER));
    args = ["--module", module, "--samples", await files.write("samples.bin", sampleFile(5))];
  });
  afterAll(() => files.remove());
  beforeEach(async () => {
    peer = new Peer(await spawnDevice(args));
  });
  afterEach(async () => {
    peer.child.stdin.end();
    expect({ code: await peer.ended, stderr: peer.stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("says hello until it is welcomed, in one epoch, and carries nothing out before", async () => {
    const first = await peer.hello();
    peer.request(0, status(1));
    expect((await peer.hello()).epoch).toBe(first.epoch);
    expect(peer.count(isResponse)).toBe(0);
    peer.send(FrameType.helloRequest, NOTHING);
    expect((await peer.hello()).epoch).toBe(first.epoch);
    peer.send(FrameType.welcome, encodeWelcome(first.epoch));
    peer.request(0, status(2));
    expect((await peer.response(0)).id).toBe(2);
  });

  it("takes only the next request, acknowledges every one, and carries none out twice", async () => {
    await peer.up();
    peer.request(1, status(11));
    await peer.take(isAck(65535));
    peer.request(0, status(10));
    await peer.take(isAck(0));
    expect((await peer.response(0)).id).toBe(10);
    peer.ack(0);
    peer.request(0, status(10));
    await peer.take(isAck(0));
    peer.request(1, status(11));
    expect((await peer.response(1)).id).toBe(11);
    peer.ack(1);
    expect(peer.count(isResponse)).toBe(0);
  });

  it("leaves requests for later while no more answers can wait", async () => {
    await peer.up();
    for (let i = 0; i < 4; i++) peer.request(i, status(i));
    expect((await peer.response(0)).id).toBe(0);
    expect((await peer.response(1)).id).toBe(1);
    await peer.take(isAck(1));
    expect(peer.count(isAck(2))).toBe(0);
    peer.ack(1);
    peer.request(2, status(2));
    expect((await peer.response(2)).id).toBe(2);
  });

  it("sends an answer again until it is acknowledged, then never", async () => {
    await peer.up();
    peer.request(0, status(1));
    const frames = [];
    for (let i = 0; i < 3; i++) frames.push((await peer.response(0)).id);
    expect(frames).toEqual([1, 1, 1]);
    peer.ack(0);
    peer.request(1, status(2));
    expect((await peer.response(1)).id).toBe(2);
    peer.ack(1);
    peer.request(2, status(3));
    expect((await peer.response(2)).id).toBe(3);
    peer.ack(2);
  });

  it("gives up after ten tries and says hello in a new epoch", async () => {
    await peer.up();
    const { epoch } = peer;
    peer.request(0, status(1));
    expect((await peer.hello()).epoch).toBe(epoch + 1);
    expect(peer.count(isResponse)).toBe(11);
  });

  it("starts a new epoch when asked, and drops frames of the old one", async () => {
    await peer.up();
    const { epoch } = peer;
    peer.send(FrameType.helloRequest, NOTHING);
    expect((await peer.hello()).epoch).toBe(epoch + 1);
    peer.send(FrameType.welcome, encodeWelcome(epoch), { epoch: epoch & 15 });
    peer.request(0, status(1), { epoch: epoch & 15 });
    peer.send(FrameType.welcome, encodeWelcome(epoch + 1));
    peer.request(0, status(2));
    expect((await peer.response(0)).id).toBe(2);
  });

  it("is not led astray by noise, damaged frames, text and halves of frames", async () => {
    await peer.up();
    const good = peer.wire(FrameType.request, status(5), { reliable: true, sequence: 0 });
    for (const [, noise] of fc
      .sample(fc.tuple(fc.constant(0), fc.uint8Array({ maxLength: 2000 })), 40)
      .entries()) {
      peer.raw(noise[1]);
    }
    for (let i = 1; i < good.length - 1; i++) {
      const damaged = good.slice();
      damaged[i] = (damaged[i] as number) ^ 0x10 || 1;
      peer.raw(damaged);
    }
    peer.raw(new TextEncoder().encode("login: root\r\n"));
    peer.raw(new Uint8Array(5000).fill(65));
    peer.raw(good.subarray(0, 9));
    expect(peer.count(isResponse)).toBe(0);
    peer.raw(good);
    expect((await peer.response(0)).id).toBe(5);
  });

  it("answers what it can read the id of, and ignores the rest", async () => {
    await peer.up();
    const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
    const cases: [string, number | null][] = [
      ["a2000101187f", 60], // verb 127
      ["a100 01".replace(" ", ""), 60], // no verb
      ["a20001 0101".replace(" ", ""), 61], // start without a seed
      ["a300010101026161", 61], // a seed that is text
      ["a40001010102010382010203".slice(0, 22), 61], // cut
      ["80", null], // no map
      ["a10101", null], // no id
      ["", null],
    ];
    let next = 0;
    let answer = 0;
    for (const [payload, code] of cases) {
      peer.request(next, hex(payload));
      await peer.take(isAck(next++));
      if (code === null) continue;
      expect((await peer.response(answer)).fault.code).toBe(code);
      peer.ack(answer++);
    }
    expect(peer.count(isResponse)).toBe(0);
  });

  it("survives any payload", async () => {
    await peer.up();
    const payloads = fc.sample(
      fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        // a map that begins well
        fc
          .tuple(fc.integer({ min: 0, max: 9 }), fc.uint8Array({ maxLength: 60 }))
          .map(([verb, rest]) => Uint8Array.from([0xa4, 0, 1, 1, verb, 2, ...rest])),
      ),
      250,
    );
    let answers = 0;
    for (const [i, payload] of payloads.entries()) {
      peer.request(i, payload);
      await peer.take(isAck(i));
      while (peer.count(isResponse) > 0) {
        await peer.take(isResponse);
        peer.ack(answers++);
      }
    }
    peer.request(payloads.length, status(7));
    const frame = await peer.take((it) => isResponse(it) && decodeResponse(it.payload).id === 7);
    peer.ack(frame.sequence);
    expect(decodeResponse(frame.payload).fault.code).toBe(0);
  });
});

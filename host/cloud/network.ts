// The half of a split model that runs in the cloud: a small network in f32 that learns in batches, with softmax,
// cross-entropy and Adam. Every sum has a fixed order, so the same seed and batches give the same weights on every machine.

import { Random } from "../data/random.ts";
import { loadKernels, Room, type Workspace } from "./kernels.ts";
import { elements, type Layer, type LayerSpec, type Learned, layOut, type Shape } from "./layers.ts";

export interface NetworkOptions {
  /** Shape of the input, NHWC with N = batch. */
  input: Shape;
  /** The last one is dense: one output for each class. */
  layers: readonly LayerSpec[];
  /** Most samples at a time: 32. */
  batch?: number;
  /** Seed of the first weights: 1. */
  seed?: number;
  /** Also compute what the device half needs to learn. */
  wantInputGradient?: boolean;
}

export interface BatchResult {
  /** Mean cross-entropy of the batch, in nats. */
  loss: number;
  /** Samples that were told right. */
  right: number;
}

/** The learned state does not belong to this network, or is damaged. */
export class NetworkStateError extends Error {
  override readonly name = "NetworkStateError";
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-7;
/** Header of the learned state: magic "OCNN", version, digest of the layers, steps; then floats. */
const MAGIC = 0x4e4e434f;
const VERSION = 1;
const HEADER_BYTES = 16;

export class Network {
  readonly classes: number;
  readonly batch: number;
  /** Batches that were learned from. */
  steps = 0;
  readonly #space: Workspace;
  readonly #layers: readonly Layer[];
  readonly #learned: readonly Learned[];
  readonly #x: number;
  readonly #dx: number;
  readonly #size: number;
  readonly #structure: number;

  private constructor(
    options: NetworkOptions,
    layers: readonly Layer[],
    x: number,
    dx: number,
    space: Workspace,
  ) {
    const last = options.layers.at(-1) as Extract<LayerSpec, { kind: "dense" }>;
    this.classes = last.units;
    this.batch = options.batch ?? 32;
    this.#layers = layers;
    this.#learned = layers.flatMap((layer) => layer.learned);
    this.#x = x;
    this.#dx = dx;
    this.#size = elements(options.input);
    this.#space = space;
    this.#structure = digestOf(options);
    const random = new Random(options.seed ?? 1, 0x0c10);
    for (const { learned, fanIn } of layers) {
      const [weights] = learned;
      if (weights === undefined) continue;
      // He uniform, as on the device
      const bound = Math.sqrt(6 / fanIn);
      const values = this.#view(weights.values, weights.count);
      for (let i = 0; i < values.length; i++) values[i] = (random.next() / 2 ** 31 - 1) * bound;
    }
  }

  /** @param wasm cloud.wasm. @throws RangeError when a layer does not fit */
  static async create(wasm: BufferSource, options: NetworkOptions): Promise<Network> {
    const { input, layers, batch = 32, wantInputGradient = false } = options;
    const room = new Room();
    const x = room.floats(batch * elements(input));
    const dx = wantInputGradient ? room.floats(batch * elements(input)) : 0;
    const planned = layOut(input, layers, batch, room, wantInputGradient);
    return new Network(options, planned, x, dx, await loadKernels(wasm, room));
  }

  /** Sample i of the batch, to be filled before `classify` or `learn`. */
  sample(i: number): Float32Array {
    return this.#view(this.#x + 4 * i * this.#size, this.#size);
  }

  /** ∂loss/∂x of sample i after `gradients` or `learn`, where the network was made to compute it; of the sample's own loss. */
  sampleGradient(i: number): Float32Array {
    if (this.#dx === 0) throw new Error("this network was made without wantInputGradient");
    return this.#view(this.#dx + 4 * i * this.#size, this.#size);
  }

  /** Logits of sample i after `forward`. */
  logits(i: number): Float32Array {
    const last = this.#layers.at(-1) as Layer;
    return this.#view(last.y + 4 * i * elements(last.output), this.classes);
  }

  forward(count: number): void {
    let x = this.#x;
    for (const layer of this.#layers) {
      layer.forward(this.#space, count, x);
      x = layer.y;
    }
  }

  /** Output of layer i for the first `count` samples, after `forward`. */
  activations(i: number, count: number): Float32Array {
    const layer = this.#layers[i];
    if (!layer) throw new RangeError(`the network has ${this.#layers.length} layers`);
    return this.#view(layer.y, count * elements(layer.output));
  }

  /** Class of each of the first `count` samples; the first of equals. */
  classify(count: number): number[] {
    this.forward(count);
    return Array.from({ length: count }, (_, i) => argmax(this.logits(i)));
  }

  /** Loss and hits of the first samples; nothing is learned. @throws RangeError when a label is no class */
  evaluate(labels: ArrayLike<number>): BatchResult {
    this.forward(labels.length);
    return this.#crossEntropy(labels);
  }

  /** Forward and backward pass; nothing moves. The gradients are of each sample's loss, summed. */
  gradients(labels: ArrayLike<number>): BatchResult {
    const count = labels.length;
    this.forward(count);
    const result = this.#crossEntropy(labels);
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const before = this.#layers[i - 1];
      const x = before?.y ?? this.#x;
      (this.#layers[i] as Layer).backward(this.#space, count, x, before?.error ?? this.#dx);
    }
    return result;
  }

  /** One step of Adam on the mean loss of the samples that were filled in. @throws RangeError when a label is no class */
  learn(labels: ArrayLike<number>, rate: number): BatchResult {
    const result = this.gradients(labels);
    this.steps++;
    const scale = labels.length;
    const second = Math.sqrt(1 - BETA2 ** this.steps);
    const step = (rate * second) / (1 - BETA1 ** this.steps);
    for (const { values, gradient, first, second: variance, count } of this.#learned) {
      // Adam is blind to the scale of gradients, but for epsilon: it takes the sum's instead of the mean's.
      this.#space.kernels.adam(
        count,
        values,
        gradient,
        first,
        variance,
        step,
        BETA1,
        BETA2,
        EPSILON * second * scale,
      );
    }
    return result;
  }

  /** Weights, then biases of layer i (of those that have any), in place: [fan-in × filters], filters rounded up to 4. */
  weights(i: number): { weights: Float32Array; biases: Float32Array } {
    const [weights, biases] = this.#learned.slice(2 * i, 2 * i + 2);
    if (!weights || !biases)
      throw new RangeError(`the network has ${this.#learned.length / 2} layers with weights`);
    return {
      weights: this.#view(weights.values, weights.count),
      biases: this.#view(biases.values, biases.count),
    };
  }

  /** Gradients as `weights`, of the loss summed over the batch. */
  weightGradients(i: number): { weights: Float32Array; biases: Float32Array } {
    const [weights, biases] = this.#learned.slice(2 * i, 2 * i + 2) as [Learned, Learned];
    return {
      weights: this.#view(weights.gradient, weights.count),
      biases: this.#view(biases.gradient, biases.count),
    };
  }

  /** Everything that was learned, Adam's moments included: training goes on from it as if it had never stopped. */
  state(): Uint8Array {
    const count = this.#learned.reduce((sum, part) => sum + 3 * part.count, 0);
    const bytes = new Uint8Array(HEADER_BYTES + 4 * count);
    const view = new DataView(bytes.buffer);
    [MAGIC, VERSION, this.#structure, this.steps].forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    const floats = new Float32Array(bytes.buffer, HEADER_BYTES);
    let at = 0;
    for (const part of this.#stored()) {
      floats.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** @throws NetworkStateError when the bytes are not a state of such a network */
  restore(bytes: Uint8Array): void {
    const stored = [...this.#stored()];
    const want = HEADER_BYTES + 4 * stored.reduce((sum, part) => sum + part.length, 0);
    if (bytes.length !== want)
      throw new NetworkStateError(`a state of ${bytes.length} bytes, but this network's has ${want}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const [magic, version, structure, steps] = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
    if (magic !== MAGIC || version !== VERSION) throw new NetworkStateError("not a state of this release");
    if (structure !== this.#structure) throw new NetworkStateError("the state of a network of other layers");
    let at = HEADER_BYTES;
    for (const part of stored) {
      for (let i = 0; i < part.length; i++, at += 4) part[i] = view.getFloat32(at, true);
    }
    this.steps = steps as number;
  }

  *#stored(): Generator<Float32Array> {
    for (const { values, first, second, count } of this.#learned) {
      for (const at of [values, first, second]) yield this.#view(at, count);
    }
  }

  #view(at: number, count: number): Float32Array {
    return this.#space.floats.subarray(at / 4, at / 4 + count);
  }

  #crossEntropy(labels: ArrayLike<number>): BatchResult {
    const last = this.#layers.at(-1) as Layer;
    const width = elements(last.output);
    const errors = this.#view(last.error, labels.length * width).fill(0);
    let loss = 0;
    let right = 0;
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i] as number;
      if (!(label >= 0 && label < this.classes))
        throw new RangeError(`label ${label} is none of the ${this.classes} classes`);
      const logits = this.logits(i);
      const most = argmax(logits);
      if (most === label) right++;
      const largest = logits[most] as number;
      let sum = 0;
      for (let k = 0; k < this.classes; k++) sum += Math.exp((logits[k] as number) - largest);
      for (let k = 0; k < this.classes; k++) {
        errors[i * width + k] = Math.exp((logits[k] as number) - largest) / sum - (k === label ? 1 : 0);
      }
      loss += Math.log(sum) - ((logits[label] as number) - largest);
    }
    return { loss: loss / labels.length, right };
  }
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

/** FNV-1a of what decides where a weight lies and what it means. */
function digestOf({ input, layers }: NetworkOptions): number {
  let hash = 0x811c9dc5;
  for (const letter of JSON.stringify([input, layers])) {
    hash = Math.imul(hash ^ (letter.codePointAt(0) as number), 0x01000193);
  }
  return hash >>> 0;
}

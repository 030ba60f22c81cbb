// The parts that the link is made of: what waits for answers, what is sent again, what is missing.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GoBackN, MAX_TRIES, WINDOW } from "../../host/link/go-back-n.ts";
import { StreamCounter } from "../../host/link/stream-counter.ts";
import { Waitress, withStack } from "../../host/link/waitress.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("Waitress", () => {
  test("serves the one that matches", async () => {
    const waitress = new Waitress<number>();
    const late = () => new Error("late");
    const one = waitress.order((n) => n === 1, 100, late);
    const two = waitress.order((n) => n === 2, 100, late);
    expect(waitress.serve(2)).toBe(true);
    expect(waitress.serve(2)).toBe(false);
    expect(await two.answer).toBe(2);
    expect(waitress.size).toBe(1);
    vi.advanceTimersByTime(100);
    await expect(one.answer).rejects.toThrow("late");
    expect(waitress.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an order that failed is not served", async () => {
    const waitress = new Waitress<number>();
    const order = waitress.order(
      () => true,
      100,
      () => new Error("late"),
    );
    order.fail(new Error("gone"));
    order.fail(new Error("twice"));
    await expect(order.answer).rejects.toThrow("gone");
    expect(waitress.serve(1)).toBe(false);
  });

  test("the stack is the caller's", () => {
    function caller() {
      return new Error();
    }
    const error = withStack(new TypeError("what"), caller());
    expect(error.stack).toMatch(/^TypeError: what\n +at caller/);
  });
});

describe("GoBackN", () => {
  function channel() {
    const sent: number[] = [];
    const acks: number[] = [];
    let dead = 0;
    const wire = {
      send: (_: number, sequence: number) => void sent.push(sequence),
      ack: (sequence: number) => void acks.push(sequence),
      dead: () => void dead++,
    };
    const one = new GoBackN(wire);
    return { one, sent, acks, dead: () => dead, take: () => sent.splice(0) };
  }
  const payload = new Uint8Array(0);

  test("sends a window and goes on with each acknowledgement", () => {
    const { one, take } = channel();
    for (let i = 0; i < 7; i++) one.push(1, payload);
    expect(take()).toEqual([]);
    one.start();
    expect(take()).toEqual([0, 1, 2, 3]);
    one.acknowledge(1);
    expect(take()).toEqual([4, 5]);
    one.acknowledge(6);
    expect(take()).toEqual([]);
    one.acknowledge(5);
    expect(take()).toEqual([6]);
    one.acknowledge(6);
    expect(one.pending).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("sends all of the window again, later and later, then finds the link dead", () => {
    const { one, take, dead } = channel();
    one.start();
    for (let i = 0; i < 5; i++) one.push(1, payload);
    take();
    for (const delay of [250, 500, 1000, 2000, 2000, 2000, 2000, 2000, 2000]) {
      vi.advanceTimersByTime(delay - 1);
      expect(take()).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(take()).toEqual([0, 1, 2, 3]);
    }
    expect(one.resent).toBe(WINDOW * (MAX_TRIES - 1));
    vi.advanceTimersByTime(2000);
    expect(dead()).toBe(1);
    expect(take()).toEqual([]);
  });

  test("on a slow link it learns to wait, and sends nothing twice any more", () => {
    const { one, take } = channel();
    one.start();
    const frames: number[] = [];
    for (let i = 0; i < 20; i++) {
      one.push(1, payload);
      // 600 ms to the acknowledgement, of a frame that was sent first at its start
      for (let ms = 0; ms < 600; ms++) vi.advanceTimersByTime(1);
      frames.push(take().length);
      one.acknowledge(i);
    }
    // the first wait is too short, and so is the doubled one; the next is long enough, and a time is measured
    expect(frames.slice(0, 3)).toEqual([2, 2, 1]);
    expect(frames.slice(3)).toEqual(Array(17).fill(1));
  });

  test("a wait that was prolonged stays so until a frame that was sent once is acknowledged", () => {
    const { one, take } = channel();
    one.start();
    one.push(1, payload);
    vi.advanceTimersByTime(250);
    expect(take()).toEqual([0, 0]);
    one.acknowledge(0);
    one.push(1, payload);
    vi.advanceTimersByTime(499);
    expect(take()).toEqual([1]);
    one.acknowledge(1);
    // 499 ms and twice that of deviation: later than before, then shorter with each quick acknowledgement
    for (let i = 2; i < 60; i++) {
      one.push(1, payload);
      one.acknowledge(i);
    }
    take();
    one.push(1, payload);
    vi.advanceTimersByTime(250);
    expect(take()).toEqual([60, 60]);
  });

  test("a new epoch knows nothing of the link's speed", () => {
    const { one, take } = channel();
    one.start();
    one.push(1, payload);
    vi.advanceTimersByTime(5000);
    one.start();
    take();
    one.push(1, payload);
    vi.advanceTimersByTime(250);
    expect(take()).toEqual([0, 0]);
  });

  test("numbers go round", () => {
    const { one, take } = channel();
    one.start();
    for (let i = 0; i < 65_540; i++) {
      one.push(1, payload);
      expect(take()).toEqual([i % 65_536]);
      one.acknowledge(i % 65_536);
    }
    expect(one.pending).toBe(0);
  });

  test("takes only the next frame, and acknowledges each", () => {
    const { one, acks } = channel();
    one.start();
    expect([1, 0, 0, 2, 1, 2].map((n) => one.receive(n))).toEqual([false, true, false, false, true, true]);
    expect(acks).toEqual([65_535, 0, 0, 0, 1, 2]);
  });

  test("says nothing while no epoch runs", () => {
    const { one, sent, acks } = channel();
    one.push(1, payload);
    expect(one.receive(0)).toBe(false);
    one.acknowledge(0);
    expect([sent, acks, one.pending]).toEqual([[], [], 1]);
  });

  test("what was sent ends with its epoch, what waits does not", () => {
    const { one, take } = channel();
    one.start();
    const frames = Array.from({ length: 6 }, () => one.push(1, payload));
    take();
    expect(one.cancel(frames[0] as never)).toBe(false);
    expect(one.cancel(frames[5] as never)).toBe(true);
    one.stop();
    expect(one.pending).toBe(1);
    one.start();
    expect(take()).toEqual([0]);
    one.clear();
    expect(one.pending).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("knows whether an epoch has carried anything", () => {
    const { one } = channel();
    one.start();
    one.push(1, payload);
    expect(one.progress).toBe(false);
    one.acknowledge(7);
    expect(one.progress).toBe(false);
    one.acknowledge(0);
    expect(one.progress).toBe(true);
    one.start();
    expect(one.progress).toBe(false);
    one.receive(0);
    expect(one.progress).toBe(true);
    one.stop();
  });
});

describe("StreamCounter", () => {
  test.each([
    [[0, 1, 2], 0, 3],
    [[0, 2, 5], 3, 3],
    [[3], 3, 1],
    [[0, 0, 1, 0], 0, 2],
  ])("%j: %i lost, %i new", (sequence, lost, fresh) => {
    const counter = new StreamCounter();
    expect(sequence.filter((n) => counter.take(n)).length).toBe(fresh);
    expect(counter.lost).toBe(lost);
  });

  test("goes round and starts anew", () => {
    const counter = new StreamCounter();
    for (let i = 0; i < 65_540; i++) expect(counter.take(i % 65_536)).toBe(true);
    counter.start();
    counter.take(2);
    expect(counter.lost).toBe(2);
  });
});

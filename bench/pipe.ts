/** A program that answers in bytes what it is asked in words: binary on standard streams, errors as text. */
import { spawn } from "node:child_process";

export interface Pipe {
  write(words: Uint32Array | Uint8Array): void;
  /** Waits for so many bytes. @throws Error with the program's words when it ends before */
  read(bytes: number): Promise<DataView>;
  /** No more questions: the program ends. */
  close(): void;
}

export function openPipe(program: string, args: readonly string[]): Pipe {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let words = "";
  let ended: string | undefined;
  let wake = (): void => {};
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words += text;
  });
  child.stdout.on("readable", () => wake());
  child.stdin.on("error", () => {});
  child.on("error", (error) => {
    ended = error.message;
    wake();
  });
  child.on("close", (code, signal) => {
    ended ??= `${program} ended (${signal ?? code}) ${words.trim()}`;
    wake();
  });
  return {
    write({ buffer, byteOffset, byteLength }) {
      child.stdin.write(new Uint8Array(buffer, byteOffset, byteLength));
    },
    async read(bytes) {
      if (bytes === 0) return new DataView(new ArrayBuffer(0));
      for (;;) {
        const got: Buffer | null = child.stdout.read(bytes);
        if (got?.length === bytes) return new DataView(got.buffer, got.byteOffset, bytes);
        if (ended !== undefined) throw new Error(ended);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close: () => child.stdin.end(),
  };
}

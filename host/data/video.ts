// Any video as a clip: ffmpeg, where it is there, decodes it to grey frames of the size that is asked for.

import { spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { basename, extname } from "node:path";
import { type Clip, checkFrames, isRawName, readClip } from "./clip.ts";
import { DataError } from "./file.ts";

export interface VideoOptions {
  width: number;
  height: number;
  /** Frames to decode, at most: 600. */
  frames?: number;
  /** The program that decodes: `ffmpeg`. */
  program?: string;
}

/** Frames decoded when nobody says otherwise. */
const FRAMES = 600;
const MAX_MESSAGE = 2000;

/**
 * Decodes the first frames of a video, scaled to width × height.
 * @throws DataError if there is no ffmpeg, or if it finds no frames in the file
 */
export async function readVideo(path: string, options: VideoOptions): Promise<Clip> {
  const { width, height, frames = FRAMES, program = "ffmpeg" } = options;
  await access(path).catch(() => {
    throw new DataError(`${path}: there is no such file`);
  });
  const args = ["-nostdin", "-v", "error", "-i", path, "-an", "-frames:v", String(frames)];
  const filter = ["-vf", `scale=${width}:${height}:flags=area,format=gray`, "-pix_fmt", "gray"];
  const child = spawn(program, [...args, ...filter, "-f", "rawvideo", "-"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: Buffer[] = [];
  let told = "";
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told = (told + text).slice(-MAX_MESSAGE);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "ENOENT"
          ? `to read a video, install ffmpeg; without it, give raw frames (clip-${width}x${height}-gray8.raw)`
          : error.message;
      reject(new DataError(`${path}: ${why}`));
    });
    child.once("close", resolve);
  });
  if (code !== 0) {
    throw new DataError(`${path}: ${program} ended with status ${code}${told && `: ${told.trim()}`}`);
  }
  const pixels = new Uint8Array(Buffer.concat(chunks));
  const clip = checkFrames(path, pixels, { width, height });
  return { name: basename(path, extname(path)), source: path, width, height, ...clip };
}

/** Reads a clip from a file of either kind: raw frames as they are, anything else through ffmpeg. @throws DataError */
export async function readClipOrVideo(path: string, options: VideoOptions): Promise<Clip> {
  const { width, height } = options;
  return isRawName(path) ? readClip(path, { width, height }) : readVideo(path, options);
}

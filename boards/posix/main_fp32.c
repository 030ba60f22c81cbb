// Trains on this machine, for the tables of accuracy. Little-endian u32 on standard streams:
//
//   fp32 PLAN IMAGES
//   in:   1, n, then n times image and rate (a float): steps      out: the last loss (a float), microseconds of CPU
//         2, first, n: which of n images are told right           out: how many are, 0
//
// IMAGES: count, bytes of an image, then for each its label and its pixels p, which the net sees as p / 255.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fp32/fp32.h"

static _Noreturn void stop(const char *why) {
  fprintf(stderr, "fp32: %s\n", why);
  exit(1);
}

static void *load(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) stop(path);
  *bytes = (size_t)ftell(file);
  void *data = malloc(*bytes);
  rewind(file);
  if (data == NULL || fread(data, 1, *bytes, file) != *bytes) stop(path);
  fclose(file);
  return data;
}

static uint32_t count, size;
static const uint8_t *images;
static float *x;

/** Puts an image where the net reads it; returns its label. */
static uint32_t show(uint32_t image) {
  if (image >= count) stop("no image of this number");
  const uint8_t *at = images + (size_t)image * (size + 1);
  for (uint32_t i = 0; i < size; i++) x[i] = (float)at[1 + i] / 255.0f;
  return at[0];
}

static void need(void *to, size_t words) {
  if (fread(to, 4, words, stdin) != words) stop("fewer words than announced");
}

int main(int argc, char **argv) {
  size_t planBytes, imageBytes;
  if (argc != 3) stop("usage: fp32 PLAN IMAGES");
  const uint32_t *plan = load(argv[1], &planBytes), *head = load(argv[2], &imageBytes);
  count = head[0], size = head[1], images = (const uint8_t *)(head + 2);
  if (imageBytes < 8 + (size_t)count * (size + 1)) stop("IMAGES is shorter than its header says");
  enum { ARENA = 64 << 20 };
  static Fp32Net net;
  x = malloc(size * sizeof *x);
  void *arena = malloc(ARENA);
  if (x == NULL || arena == NULL || !fp32Open(&net, plan, arena, ARENA, NULL)) stop("no memory for this net");

  for (uint32_t command; fread(&command, 4, 1, stdin) == 1;) {
    uint32_t answer[2] = {0, 0};
    if (command == 1) {
      uint32_t n, image;
      float rate, loss = 0;
      clock_t started = clock();
      need(&n, 1);
      for (; n > 0; n--) {
        need(&image, 1);
        need(&rate, 1);
        uint32_t label = show(image);
        loss = fp32Step(&net, x, label, rate);
      }
      memcpy(answer, &loss, 4);
      answer[1] = (uint32_t)((double)(clock() - started) * 1e6 / CLOCKS_PER_SEC);
    } else if (command == 2) {
      uint32_t part[2];
      need(part, 2);
      for (uint32_t i = 0; i < part[1]; i++) {
        uint32_t label = show(part[0] + i);
        answer[0] += fp32Classify(&net, x) == label;
      }
    } else {
      stop("unknown command");
    }
    fwrite(answer, 4, 2, stdout);
    if (fflush(stdout) != 0) stop("standard output is closed");
  }
  return 0;
}

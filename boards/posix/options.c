// Options: long ones only, as `--name value` or `--name=value`.
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: octomote-device [options]\n"
    "A virtual device: compiled firmware that runs a WebAssembly module on samples from a file.\n"
    "\n"
    "  --id NAME                 the device's name (default: posix)\n"
    "  --module FILE             the app, a .wasm file\n"
    "  --samples FILE            what its sensor sees (docs/protocol.md, \"Virtual devices\")\n"
    "  --connect HOST:PORT       link over TCP; without it, over standard input and output\n"
    "  --autostart               run at once instead of waiting for start\n"
    "  --seed N                  seed for --autostart (default: 1)\n"
    "  --pool KIB                memory for module and engine (default: 4096)\n"
    "  --stack BYTES             the module's own stack (default: 8192)\n"
    "  --max-steps-per-second N  go no faster than that (default: 0, as fast as it can)\n"
    "  --help                    this text\n"
    "\n"
    "Exit status: 0 the link ended or a signal stopped it, 2 bad usage, 3 a file cannot be used, 4 no "
    "connection.\n";

static int refuse(const char *option, const char *why) {
  fprintf(stderr, "octomote: %s %s. See --help.\n", option, why);
  return 2;
}

static bool number(const char *text, uint32_t most, uint32_t *value) {
  char *end;
  errno = 0;
  unsigned long long read = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0 || errno != 0 || read > most) return false;
  *value = (uint32_t)read;
  return true;
}

/** HOST:PORT; an IPv6 host stands in brackets. */
static bool address(const char *text, Options *options) {
  const char *colon = strrchr(text, ':');
  uint32_t port;
  if (colon == NULL || colon == text || !number(colon + 1, 65535, &port)) return false;
  size_t length = (size_t)(colon - text);
  if (text[0] == '[' && text[length - 1] == ']') {
    text++;
    length -= 2;
  }
  if (length == 0 || length >= sizeof options->host) return false;
  memcpy(options->host, text, length);
  options->host[length] = 0;
  options->tcpPort = colon + 1;
  return true;
}

static bool validId(const char *id) {
  size_t length = strlen(id);
  for (size_t i = 0; i < length; i++) {
    char c = id[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && (i == 0 || strchr("_.-", c) == NULL)) return false;
  }
  return length >= 1 && length <= 31;
}

/** Takes one option with its value; false: there is no such option, or the value is bad (`why` says which). */
static bool take(Options *options, const char *name, const char *value, const char **why) {
  uint32_t n = 0;
  *why = "is not an option";
  if (strcmp(name, "--id") == 0) {
    *why = "must be a letter or digit, then at most 30 of these or _ . -";
    options->id = value;
    return validId(value);
  }
  if (strcmp(name, "--module") == 0) options->module = value;
  if (strcmp(name, "--samples") == 0) options->samples = value;
  if (strcmp(name, "--module") == 0 || strcmp(name, "--samples") == 0) return true;
  if (strcmp(name, "--connect") == 0) {
    *why = "must be HOST:PORT";
    return address(value, options);
  }
  if (strcmp(name, "--seed") == 0) {
    *why = "must be a number from 0 to 4294967295";
    return number(value, UINT32_MAX, &options->seed);
  }
  if (strcmp(name, "--pool") == 0) {
    *why = "must be a number of KiB from 16 to 1048576";
    if (!number(value, 1048576, &n) || n < 16) return false;
    options->poolBytes = (size_t)n * 1024;
    return true;
  }
  if (strcmp(name, "--stack") == 0) {
    *why = "must be a number of bytes from 512 to 1048576";
    options->stackBytes = number(value, 1048576, &n) ? n & ~15u : 0;
    return options->stackBytes >= 512;
  }
  if (strcmp(name, "--max-steps-per-second") == 0) {
    *why = "must be a number from 0 to 1000";
    return number(value, 1000, &options->maxStepsPerSecond);
  }
  return false;
}

int optionsRead(Options *options, int argc, char **argv) {
  *options = (Options){.id = "posix", .poolBytes = 4096 * 1024, .stackBytes = 8192, .seed = 1};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      fputs(help, stdout);
      return 0;
    }
    if (strcmp(argv[i], "--autostart") == 0) {
      options->autostart = true;
      continue;
    }
    char *equals = strchr(argv[i], '=');
    const char *value = equals != NULL ? equals + 1 : argv[i + 1];
    if (equals != NULL) *equals = 0;
    const char *why;
    if (value == NULL) return refuse(argv[i], "needs a value");
    if (!take(options, argv[i], value, &why)) return refuse(argv[i], why);
    if (equals == NULL) i++;
  }
  return -1;
}

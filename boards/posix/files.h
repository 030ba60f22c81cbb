// Files as flash: mapped, never copied.
#ifndef OM_POSIX_FILES_H
#define OM_POSIX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct File {
  const uint8_t *data; // NULL without a file
  size_t bytes;
} File;

/** Maps a file for reading; a NULL path is no file. On failure it says why on stderr and returns false. */
bool fileMap(const char *path, File *file);

#endif

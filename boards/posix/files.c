// Maps whole files for reading.
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(const char *path, const char *why) {
  fprintf(stderr, "octomote: %s: %s\n", path, why);
  return false;
}

bool fileMap(const char *path, File *file) {
  *file = (File){NULL, 0};
  if (path == NULL) return true;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refuse(path, strerror(errno));
  struct stat status;
  bool ok = fstat(fd, &status) == 0 && status.st_size > 0 && (uint64_t)status.st_size <= UINT32_MAX;
  void *data = ok ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  close(fd);
  if (!ok) return refuse(path, "empty, or larger than 4 GiB");
  if (data == MAP_FAILED) return refuse(path, strerror(errno));
  *file = (File){data, (size_t)status.st_size};
  return true;
}

// Plain reads of memory.
#include "common.h"

static uint64_t read_memory(const void *bytes, size_t byte_count, size_t streams, size_t ahead) {
  const size_t part = byte_count / streams;
  uint64_t sums[32] = {0};
  for (size_t offset = 0; offset < part; offset += 256) {
    for (size_t stream = 0; stream < streams; stream++) {
      const char *run = (const char *)bytes + stream * part + offset;
      if (ahead) {
        for (int line = 0; line < 256; line += 64) __builtin_prefetch(run + ahead + line);
      }
      const uint64_t *words = (const uint64_t *)run;
      for (int k = 0; k < 32; k++) sums[k] ^= words[k];
    }
  }
  uint64_t all = 0;
  for (int k = 0; k < 32; k++) all ^= sums[k];
  return all;
}

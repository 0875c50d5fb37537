// Plain reads of memory.
#include "common.h"

static uint64_t read_memory(const void *bytes, size_t byte_count) {
  const uint64_t *words = bytes;
  uint64_t sums[32] = {0};
  for (size_t i = 0; i < byte_count / 8; i += 32) {
    for (int line = 0; line < 4; line++) __builtin_prefetch(words + i + 512 + 8 * line);
    for (int k = 0; k < 32; k++) sums[k] ^= words[i + k];
  }
  uint64_t all = 0;
  for (int k = 0; k < 32; k++) all ^= sums[k];
  return all;
}

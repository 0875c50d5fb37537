#include "ckernels.h"
#include "isa.h"

BODY uint64_t read_body(const uint64_t *words, size_t byte_count) {
  uint64_t sums[32] = {0};
  for (size_t i = 0; i < byte_count / 8; i += 32) {
    __builtin_prefetch(words + i + 512);
    __builtin_prefetch(words + i + 520);
    __builtin_prefetch(words + i + 528);
    __builtin_prefetch(words + i + 536);
    for (int k = 0; k < 32; k++) sums[k] ^= words[i + k];
  }
  uint64_t all = 0;
  for (int k = 0; k < 32; k++) all ^= sums[k];
  return all;
}

#if defined(__x86_64__)
TARGET_AVX512 static uint64_t read_avx512(const uint64_t *words, size_t byte_count) { return read_body(words, byte_count); }
#endif

uint64_t ck_read_memory(const void *bytes, size_t byte_count) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) return read_avx512(bytes, byte_count);
#endif
  return read_body(bytes, byte_count);
}

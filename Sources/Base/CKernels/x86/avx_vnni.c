// Products of quantized weights with the dot instruction of processors that have it without AVX-512. Codes are the unsigned
// operand, as they lie.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)

#include "../bodies/tile.h"
#include "vector256.h"

BODY void group_sums(
  const uint8_t *codes, const int8_t *activations, size_t row_bytes, const int32_t *sums, size_t row_stride, int rows,
  int bits, __m256i *total) {
  const __m256i low_nibbles = _mm256_set1_epi8(15);
  for (int m = 0; m < rows; m++) total[m] = _mm256_set1_epi32(-code_offset(bits) * sums[m * row_stride]);
  for (int line = 0; line < bits; line++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(codes + line * 64));
    __m256i first = bits == 8 ? bytes : _mm256_and_si256(bytes, low_nibbles);
    __m256i second = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_nibbles);
    for (int m = 0; m < rows; m++) {
      const int8_t *a = activations + m * row_bytes + line * line_columns(bits);
      total[m] = _mm256_dpbusd_avx_epi32(total[m], first, four_everywhere(a));
      if (bits == 4) total[m] = _mm256_dpbusd_avx_epi32(total[m], second, four_everywhere(a + 4));
    }
  }
}

#include "half_tiles.h"

enum { DOT_BYTES = 32, DOT_PRODUCTS = 4 };
#define ADD_GROUP(SUM, X, Y) _mm256_dpbusd_avx_epi32((__m256i)(SUM), (__m256i)(X), (__m256i)(Y))
#include "../bodies/peak_dots.h"

void ck_fill_avx_vnni(ck_table *table) {
  table->matmul_tiles = matmul_tiles;
  table->repeat_dots = repeat_dots;
}

#pragma clang attribute pop
#endif

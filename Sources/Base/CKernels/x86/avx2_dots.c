// Products of quantized weights with AVX2.
//
// maddubs multiplies unsigned with signed bytes and adds pairs in 16 bits. Codes of 4 bits go in as they lie: the sums of
// 16 columns, at most 15 x 127 x 16 = 30,480, stay within 16 bits, so that only one madd a group widens them. At 8 bits
// the magnitude of a weight goes in unsigned, its sign goes to the activation: pairs are at most 128 x 127 x 2 = 32,512.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "../bodies/tile.h"

#include "../bodies/row_pointers.h"
#include "vector256.h"

// Exact sums of one group for eight outputs and `rows` rows, `row_bytes` apart.
BODY void group_sums_4(
  const uint8_t *codes, const int8_t *activations, size_t row_bytes, const int32_t *sums, size_t row_stride, int rows,
  __m256i *total) {
  const __m256i low_nibbles = _mm256_set1_epi8(15), minus_ones = _mm256_set1_epi16(-1);
  __m256i pairs[MOST];
  ROW_POINTERS(int32_t, sum_of, sums, row_stride, rows);
  // Eight times the sum of all activations goes into the upper half of each lane: less the products of that half's columns, it fits
  // into 16 bits, and so do the other half's products, which are taken off, too.
  for (int m = 0; m < rows; m++) {
    __m256i sum = _mm256_set1_epi32(*ROW(sum_of, row_stride, m));
    __asm__("" : "+x"(sum));
    pairs[m] = _mm256_slli_epi32(sum, 19);
  }
  ROW_POINTERS(int8_t, from, activations, row_bytes, rows);
  for (int line = 0; line < 4; line++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(codes + line * 64));
    __m256i low = _mm256_and_si256(bytes, low_nibbles);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_nibbles);
    for (int m = 0; m < rows; m++) {
      const int8_t *a = ROW(from, row_bytes, m);
      pairs[m] = _mm256_sub_epi16(pairs[m], _mm256_maddubs_epi16(low, four_everywhere(a)));
      pairs[m] = _mm256_sub_epi16(pairs[m], _mm256_maddubs_epi16(high, four_everywhere(a + 4)));
    }
    MOVE_ON(from, 8, rows)
  }
  for (int m = 0; m < rows; m++) total[m] = _mm256_madd_epi16(pairs[m], minus_ones);
}

BODY void group_sums_8(
  const uint8_t *codes, const int8_t *activations, size_t row_bytes, int rows, __m256i *total) {
  const __m256i offset = _mm256_set1_epi8((char)0x80), ones = _mm256_set1_epi16(1);
  for (int m = 0; m < rows; m++) total[m] = _mm256_setzero_si256();
  ROW_POINTERS(int8_t, from, activations, row_bytes, rows);
  for (int line = 0; line < 8; line++) {
    // Taking off the offset of 128 turns the upper bit.
    __m256i weights = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(codes + line * 64)), offset);
    __m256i magnitudes = _mm256_abs_epi8(weights);
    for (int m = 0; m < rows; m++) {
      __m256i signed_activations = _mm256_sign_epi8(four_everywhere(ROW(from, row_bytes, m)), weights);
      __m256i pairs = _mm256_maddubs_epi16(magnitudes, signed_activations);
      total[m] = _mm256_add_epi32(total[m], _mm256_madd_epi16(pairs, ones));
    }
    MOVE_ON(from, 4, rows)
  }
}

BODY void group_sums(
  const uint8_t *codes, const int8_t *activations, size_t row_bytes, const int32_t *sums, size_t row_stride, int rows,
  int bits, __m256i *total) {
  if (bits == 4) group_sums_4(codes, activations, row_bytes, sums, row_stride, rows, total);
  else group_sums_8(codes, activations, row_bytes, rows, total);
}

#include "half_tiles.h"

enum { DOT_BYTES = 32, DOT_PRODUCTS = TILE_COLUMNS };

// A group as codes of 4 bits go: one widening for all of its columns.
BODY __m256i add_group(__m256i sum, __m256i x, __m256i y) {
  __m256i pairs = _mm256_setzero_si256();
  for (int c = 0; c < TILE_COLUMNS; c += 4) {
    // As if it were others: products that are alike would be made once.
    __asm__ volatile("" : "+x"(x));
    pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(x, y));
  }
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#define ADD_GROUP(SUM, X, Y) add_group((__m256i)(SUM), (__m256i)(X), (__m256i)(Y))
#include "../bodies/peak_dots.h"

void ck_fill_avx2_dots(ck_table *table) {
  table->matmul_tiles = matmul_tiles;
  table->repeat_dots = repeat_dots;
}

#pragma clang attribute pop
#endif

// Products of quantized weights with AVX2: half a tile, eight outputs, at a time.
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

enum { HALF = 8, MOST = 6 };

// Four activations, in every lane.
BODY __m256i four_everywhere(const int8_t *a) {
  int32_t word;
  memcpy(&word, a, sizeof word);
  return _mm256_set1_epi32(word);
}

// Exact sums of one group for eight outputs and `rows` rows, `row_bytes` apart.
BODY void group_sums_4(
  const uint8_t *codes, const int8_t *activations, size_t row_bytes, const int32_t *sums, size_t row_stride, int rows,
  __m256i *total) {
  const __m256i low_nibbles = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256i pairs[MOST];
  for (int m = 0; m < rows; m++) pairs[m] = _mm256_setzero_si256();
  for (int line = 0; line < 4; line++) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(codes + line * 64));
    __m256i low = _mm256_and_si256(bytes, low_nibbles);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_nibbles);
    for (int m = 0; m < rows; m++) {
      const int8_t *a = activations + m * row_bytes + line * 8;
      pairs[m] = _mm256_add_epi16(pairs[m], _mm256_maddubs_epi16(low, four_everywhere(a)));
      pairs[m] = _mm256_add_epi16(pairs[m], _mm256_maddubs_epi16(high, four_everywhere(a + 4)));
    }
  }
  for (int m = 0; m < rows; m++)
    total[m] = _mm256_sub_epi32(_mm256_madd_epi16(pairs[m], ones), _mm256_set1_epi32(8 * sums[m * row_stride]));
}

BODY void group_sums_8(
  const uint8_t *codes, const int8_t *activations, size_t row_bytes, int rows, __m256i *total) {
  const __m256i offset = _mm256_set1_epi8((char)0x80), ones = _mm256_set1_epi16(1);
  for (int m = 0; m < rows; m++) total[m] = _mm256_setzero_si256();
  for (int line = 0; line < 8; line++) {
    // Taking off the offset of 128 turns the upper bit.
    __m256i weights = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(codes + line * 64)), offset);
    __m256i magnitudes = _mm256_abs_epi8(weights);
    for (int m = 0; m < rows; m++) {
      __m256i signed_activations = _mm256_sign_epi8(four_everywhere(activations + m * row_bytes + line * 4), weights);
      __m256i pairs = _mm256_maddubs_epi16(magnitudes, signed_activations);
      total[m] = _mm256_add_epi32(total[m], _mm256_madd_epi16(pairs, ones));
    }
  }
}

BODY void store(const ck_matmul *p, size_t m, size_t output, __m256 total) {
  float *out = p->output + m * p->output_stride + output;
  if (output + HALF <= p->output_count) {
    _mm256_storeu_ps(out, total);
    return;
  }
  float edge[HALF];
  _mm256_storeu_ps(edge, total);
  for (size_t n = 0; output + n < p->output_count; n++) out[n] = edge[n];
}

// `rows` rows times one half of a tile, or one row times all of `tiles` tiles side by side, over all groups. rows, halves,
// tiles and bits are constants.
BODY void block(const ck_matmul *p, size_t m0, size_t tile, int half, int halves, int tiles, int rows, int bits) {
  size_t groups = p->run_count * p->run_groups, row_bytes = p->row_stride * TILE_COLUMNS;
  const uint8_t *codes = p->codes + tile * groups * tile_bytes(bits) + half * 32;
  const uint16_t *scales = p->scales + tile * groups * TILE_ROWS + half * HALF;
  __m256 total[MOST * 2][MOST];
  for (int h = 0; h < tiles * halves; h++)
    for (int m = 0; m < rows; m++) total[h][m] = _mm256_setzero_ps();
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = m0 * p->row_stride + p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups; at++, codes += tile_bytes(bits), scales += TILE_ROWS) {
      const int8_t *activations = p->activations + at * TILE_COLUMNS;
      for (int t = 0; t < tiles; t++) {
        const uint8_t *tile_codes = codes + t * groups * tile_bytes(bits);
        const uint16_t *tile_scales = scales + t * groups * TILE_ROWS;
        if (rows == 1)
          for (int line = 0; line < bits; line++) _mm_prefetch((const char *)tile_codes + 2048 + line * 64, _MM_HINT_T0);
        for (int h = 0; h < halves; h++) {
          __m256i sums[MOST];
          const uint8_t *half_codes = tile_codes + h * 32;
          if (bits == 4)
            group_sums_4(half_codes, activations, row_bytes, p->activation_sums + at, p->row_stride, rows, sums);
          else group_sums_8(half_codes, activations, row_bytes, rows, sums);
          __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(tile_scales + h * HALF)));
          for (int m = 0; m < rows; m++) {
            __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(p->activation_scales[at + m * p->row_stride]));
            total[t * halves + h][m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[m]), both, total[t * halves + h][m]);
          }
        }
      }
    }
  }
  for (int t = 0; t < tiles; t++)
    for (int h = 0; h < halves; h++)
      for (int m = 0; m < rows; m++) {
        size_t output = (tile + t) * TILE_ROWS + (half + h) * HALF;
        if (output < p->output_count) store(p, m0 + m, output, total[t * halves + h][m]);
      }
}

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(NAME, ROWS, TILES, HALVES)                                                                  \
  __attribute__((noinline)) static void NAME(const ck_matmul *p, size_t m, size_t tile, int half) { \
    if (p->bits == 8) block(p, m, tile, half, HALVES, TILES, ROWS, 8);                                    \
    else block(p, m, tile, half, HALVES, TILES, ROWS, 4);                                                 \
  }
BLOCK(six_rows, 6, 1, 1)
BLOCK(four_rows, 4, 1, 1)
BLOCK(two_rows, 2, 1, 1)
BLOCK(one_row_four_tiles, 1, 4, 2)
BLOCK(one_row, 1, 1, 2)
#undef BLOCK

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  size_t pairs = p->row_count / 2 * 2;
  for (size_t tile = first_tile; tile < last_tile && pairs > 0; tile++)
    for (int half = 0; half < 2 && tile * TILE_ROWS + half * HALF < p->output_count; half++) {
      size_t m = 0;
      for (; pairs - m >= 6; m += 6) six_rows(p, m, tile, half);
      for (; pairs - m >= 4; m += 4) four_rows(p, m, tile, half);
      if (m < pairs) two_rows(p, m, tile, half);
    }
  if (pairs == p->row_count) return;
  size_t tile = first_tile;
  for (; tile + 4 <= last_tile; tile += 4) one_row_four_tiles(p, pairs, tile, 0);
  for (; tile < last_tile; tile++) one_row(p, pairs, tile, 0);
}

void ck_fill_avx2_dots(ck_table *table) { table->matmul_tiles = matmul_tiles; }

#pragma clang attribute pop
#endif

// Products of quantized weights with AVX-512 VNNI. The weights are the unsigned operand of the dot product (their codes
// are offset by half the range), the activations the signed one.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma"))), apply_to = function)

#include "../bodies/tile.h"

// Four activations, in every lane.
BODY __m512i four_everywhere(const int8_t *a) {
  int32_t word;
  memcpy(&word, a, sizeof word);
  return _mm512_set1_epi32(word);
}

// `rows` activation rows times `tiles` tiles of 16 outputs, over all groups. rows, tiles and bits are constants.
BODY void block(const ck_matmul *p, size_t m0, size_t t0, int rows, int tiles, int bits) {
  __m512 total[6][4];
  size_t groups = p->run_count * p->run_groups;
  const __m512i low_nibbles = _mm512_set1_epi8(15);
  for (int m = 0; m < rows; m++)
    for (int t = 0; t < tiles; t++) total[m][t] = _mm512_setzero_ps();
  const uint8_t *codes = p->codes + t0 * groups * tile_bytes(bits);
  const uint16_t *scales = p->scales + t0 * groups * TILE_ROWS;
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = m0 * p->row_stride + p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups; at++, codes += tile_bytes(bits), scales += TILE_ROWS) {
      __m512i sum[6][4];
      for (int m = 0; m < rows; m++) {
        int32_t start = p->activation_sums[at + m * p->row_stride] * -code_offset(bits);
        for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_set1_epi32(start);
      }
      for (int line = 0; line < bits; line++) {
        __m512i weights[4][2];
        for (int t = 0; t < tiles; t++) {
          const uint8_t *bytes_at = codes + t * groups * tile_bytes(bits) + line * 64;
          _mm_prefetch((const char *)bytes_at + 3072, _MM_HINT_T0);
          __m512i bytes = _mm512_loadu_si512(bytes_at);
          weights[t][0] = bits == 8 ? bytes : _mm512_and_si512(bytes, low_nibbles);
          if (bits == 4) weights[t][1] = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_nibbles);
        }
        for (int m = 0; m < rows; m++) {
          const int8_t *a = p->activations + (at + m * p->row_stride) * TILE_COLUMNS + line * line_columns(bits);
          __m512i first_four = four_everywhere(a);
          for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_dpbusd_epi32(sum[m][t], weights[t][0], first_four);
          if (bits == 4) {
            __m512i second_four = four_everywhere(a + 4);
            for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_dpbusd_epi32(sum[m][t], weights[t][1], second_four);
          }
        }
      }
      for (int t = 0; t < tiles; t++) {
        if (rows == 1) _mm_prefetch((const char *)(scales + t * groups * TILE_ROWS) + 384, _MM_HINT_T0);
        __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(scales + t * groups * TILE_ROWS)));
        for (int m = 0; m < rows; m++) {
          __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(p->activation_scales[at + m * p->row_stride]));
          total[m][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[m][t]), both, total[m][t]);
        }
      }
    }
  }
  for (int t = 0; t < tiles; t++) {
    size_t output = (t0 + t) * TILE_ROWS;
    size_t left = p->output_count - output;
    __mmask16 mask = left >= TILE_ROWS ? 0xFFFF : (__mmask16)((1u << left) - 1);
    for (int m = 0; m < rows; m++)
      _mm512_mask_storeu_ps(p->output + (m0 + m) * p->output_stride + output, mask, total[m][t]);
  }
}

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(ROWS, TILES)                                                                                   \
  __attribute__((noinline)) static void block_##ROWS##x##TILES(const ck_matmul *p, size_t m, size_t t) { \
    if (p->bits == 8) block(p, m, t, ROWS, TILES, 8);                                                        \
    else block(p, m, t, ROWS, TILES, 4);                                                                     \
  }
#define BLOCKS(TILES) BLOCK(1, TILES) BLOCK(2, TILES) BLOCK(3, TILES) BLOCK(4, TILES) BLOCK(5, TILES) BLOCK(6, TILES)
BLOCKS(1)
BLOCKS(2)
BLOCK(1, 4)
#undef BLOCKS
#undef BLOCK

enum { MOST_ROWS = 6 };
typedef void block_function(const ck_matmul *p, size_t m, size_t t);

// All rows, in blocks of nearly equal height: a low block at the end would do little for the weights that it unpacks.
static void all_rows(const ck_matmul *p, size_t tile, block_function *const blocks[MOST_ROWS]) {
  size_t count = (p->row_count + MOST_ROWS - 1) / MOST_ROWS;
  for (size_t b = 0; b < count; b++) {
    size_t first = p->row_count * b / count, last = p->row_count * (b + 1) / count;
    blocks[last - first - 1](p, first, tile);
  }
}

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  static block_function *const one[] = {block_1x1, block_2x1, block_3x1, block_4x1, block_5x1, block_6x1};
  static block_function *const two[] = {block_1x2, block_2x2, block_3x2, block_4x2, block_5x2, block_6x2};
  size_t tile = first_tile;
  if (p->row_count == 1) {
    for (; tile + 4 <= last_tile; tile += 4) block_1x4(p, 0, tile);
    for (; tile < last_tile; tile++) block_1x1(p, 0, tile);
    return;
  }
  for (; tile + 2 <= last_tile; tile += 2) all_rows(p, tile, two);
  if (tile < last_tile) all_rows(p, tile, one);
}

enum { DOT_BYTES = 64, DOT_PRODUCTS = 4 };
#define ADD_GROUP(SUM, X, Y) _mm512_dpbusd_epi32((__m512i)(SUM), (__m512i)(X), (__m512i)(Y))
#include "../bodies/peak_dots.h"

void ck_fill_avx512_vnni(ck_table *table) {
  table->matmul_tiles = matmul_tiles;
  table->repeat_dots = repeat_dots;
}

#pragma clang attribute pop
#endif

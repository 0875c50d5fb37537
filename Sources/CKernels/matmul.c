// Products of quantized weights, read where they lie, with activations quantized to 8 bits in groups of 32.
// The weights are the unsigned operand of the dot product (their codes are offset by half the range), the activations the
// signed one; the sum over a group starts at -offset x the sum of its activations, so the offset costs nothing.

#include "ckernels.h"
#include "floats.h"

#define ROWS CK_TILE_ROWS
#define COLUMNS CK_TILE_COLUMNS

void ck_quantize_activations(
  const float *x, size_t row_count, size_t columns, int8_t *codes, float *scales, int32_t *sums) {
  size_t groups = (columns + COLUMNS - 1) / COLUMNS;
  for (size_t m = 0; m < row_count; m++)
    for (size_t g = 0; g < groups; g++) {
      size_t width = columns - g * COLUMNS < COLUMNS ? columns - g * COLUMNS : COLUMNS;
      const float *group = x + m * columns + g * COLUMNS;
      float largest = 0;
      for (size_t c = 0; c < width; c++) {
        float magnitude = __builtin_fabsf(group[c]);
        largest = magnitude > largest ? magnitude : largest;
      }
      float scale = largest / 127.0f, inverse = largest > 0 ? 127.0f / largest : 0;
      int32_t sum = 0;
      for (size_t c = 0; c < COLUMNS; c++) {
        float rounded = c < width ? (group[c] * inverse + 12582912.0f) - 12582912.0f : 0;
        codes[(m * groups + g) * COLUMNS + c] = (int8_t)rounded;
        sum += (int8_t)rounded;
      }
      scales[m * groups + g] = scale;
      sums[m * groups + g] = sum;
    }
}

void ck_matmul_tiles_scalar(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  size_t line_columns = p->bits == 8 ? 4 : 8, offset = p->bits == 8 ? 128 : 8;
  for (size_t tile = first_tile; tile < last_tile; tile++)
    for (size_t m = 0; m < p->row_count; m++)
      for (size_t r = 0; r < ROWS && tile * ROWS + r < p->output_count; r++) {
        float total = 0;
        for (size_t g = 0; g < p->group_count; g++) {
          const uint8_t *codes = p->codes + (tile * p->group_count + g) * (64 * p->bits);
          int32_t sum = -(int32_t)offset * p->activation_sums[m * p->group_count + g];
          for (size_t c = 0; c < COLUMNS; c++) {
            uint8_t byte = codes[(c / line_columns * ROWS + r) * 4 + c % 4];
            int32_t code = p->bits == 8 ? byte : byte >> (c % 8 / 4 * 4) & 15;
            sum += code * p->activations[(m * p->group_count + g) * COLUMNS + c];
          }
          float scale = float_of_bits(widen_f16(p->scales[(tile * p->group_count + g) * ROWS + r]));
          total = __builtin_fmaf((float)sum, scale * p->activation_scales[m * p->group_count + g], total);
        }
        p->output[m * p->output_stride + tile * ROWS + r] = total;
      }
}

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")))
#define VNNI_BODY static inline __attribute__((always_inline)) TARGET_VNNI

// `rows` activation rows times `tiles` tiles of 16 outputs, over all groups. rows and tiles are constants.
VNNI_BODY void block(const ck_matmul *p, size_t m0, size_t t0, int rows, int tiles, int bits) {
  __m512 total[6][4];
  size_t groups = p->group_count, tile_bytes = 64 * (size_t)bits;
  const __m512i low_nibbles = _mm512_set1_epi8(15);
  for (int m = 0; m < rows; m++)
    for (int t = 0; t < tiles; t++) total[m][t] = _mm512_setzero_ps();
  const uint8_t *codes = p->codes + t0 * groups * tile_bytes;
  const uint16_t *scales = p->scales + t0 * groups * ROWS;
  for (size_t g = 0; g < groups; g++) {
    __m512i sum[6][4];
    for (int m = 0; m < rows; m++) {
      int32_t start = p->activation_sums[(m0 + m) * groups + g] * (bits == 8 ? -128 : -8);
      for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_set1_epi32(start);
    }
    for (int line = 0; line < bits; line++) {
      __m512i weights[4][2];
      for (int t = 0; t < tiles; t++) {
        const uint8_t *at = codes + (t * groups + g) * tile_bytes + line * 64;
        if (rows == 1) _mm_prefetch((const char *)at + 3072, _MM_HINT_T0);
        __m512i bytes = _mm512_loadu_si512(at);
        weights[t][0] = bits == 8 ? bytes : _mm512_and_si512(bytes, low_nibbles);
        if (bits == 4) weights[t][1] = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_nibbles);
      }
      for (int m = 0; m < rows; m++) {
        const int8_t *a = p->activations + ((m0 + m) * groups + g) * COLUMNS + line * (bits == 8 ? 4 : 8);
        int32_t word[2];
        __builtin_memcpy(word, a, bits == 8 ? 4 : 8);
        __m512i first = _mm512_set1_epi32(word[0]);
        for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_dpbusd_epi32(sum[m][t], weights[t][0], first);
        if (bits == 4) {
          __m512i second = _mm512_set1_epi32(word[1]);
          for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_dpbusd_epi32(sum[m][t], weights[t][1], second);
        }
      }
    }
    for (int t = 0; t < tiles; t++) {
      __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(scales + (t * groups + g) * ROWS)));
      for (int m = 0; m < rows; m++) {
        __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(p->activation_scales[(m0 + m) * groups + g]));
        total[m][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[m][t]), both, total[m][t]);
      }
    }
  }
  for (int t = 0; t < tiles; t++) {
    size_t output = (t0 + t) * ROWS;
    size_t left = p->output_count - output;
    __mmask16 mask = left >= ROWS ? 0xFFFF : (__mmask16)((1u << left) - 1);
    for (int m = 0; m < rows; m++)
      _mm512_mask_storeu_ps(p->output + (m0 + m) * p->output_stride + output, mask, total[m][t]);
  }
}

#define BLOCK(ROW_COUNT, TILE_COUNT) \
  TARGET_VNNI __attribute__((noinline)) static void block_##ROW_COUNT##x##TILE_COUNT(const ck_matmul *p, size_t m, size_t t) { \
    if (p->bits == 8) block(p, m, t, ROW_COUNT, TILE_COUNT, 8);                                           \
    else block(p, m, t, ROW_COUNT, TILE_COUNT, 4);                                                        \
  }
BLOCK(1, 4)
BLOCK(1, 1)
BLOCK(2, 2)
BLOCK(2, 1)
BLOCK(4, 2)
BLOCK(4, 1)
BLOCK(6, 2)
BLOCK(6, 1)

static void matmul_vnni(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  size_t tile = first_tile;
  if (p->row_count == 1) {
    for (; tile + 4 <= last_tile; tile += 4) block_1x4(p, 0, tile);
    for (; tile < last_tile; tile++) block_1x1(p, 0, tile);
    return;
  }
  for (; tile < last_tile; tile += 2) {
    int pair = tile + 2 <= last_tile;
    size_t m = 0, left = p->row_count;
#define STEP(N)                                                     \
  for (; left >= N; m += N, left -= N) {                            \
    if (pair) block_##N##x2(p, m, tile);                            \
    else block_##N##x1(p, m, tile);                                 \
  }
    STEP(6)
    STEP(4)
    STEP(2)
#undef STEP
    if (left) {
      block_1x1(p, m, tile);
      if (pair) block_1x1(p, m, tile + 1);
    }
  }
}
#endif

void ck_matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512_VNNI) return matmul_vnni(p, first_tile, last_tile);
#endif
  ck_matmul_tiles_scalar(p, first_tile, last_tile);
}

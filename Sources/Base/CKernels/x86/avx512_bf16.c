// Products of pairs of bf16 with AVX-512 BF16.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../bodies/peak_sums.h"
#include "../bodies/row_pointers.h"
#include "../fills.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c"))), apply_to = function)

enum { MOST_ROWS = 12 };
typedef uint16_t activation;

// The lowest `count` of sixteen lanes.
BODY __mmask16 lanes_below(size_t count) { return count >= 16 ? 0xFFFF : (__mmask16)((1u << count) - 1); }

BODY void tile(
  const uint16_t *a, size_t a_stride, const uint16_t *panel, size_t depth, float *c, size_t c_stride, size_t columns,
  int adds, int rows) {
  __m512 total[MOST_ROWS][2];
  __mmask16 low = lanes_below(columns), high = lanes_below(columns > 16 ? columns - 16 : 0);
  _Pragma("unroll") for (int m = 0; m < rows; m++) total[m][0] = total[m][1] = _mm512_setzero_ps();
  ROW_POINTERS(uint16_t, from, a, a_stride, rows);
  for (size_t k = 0; k < depth; k += 2, panel += 2 * CK_PANEL_COLUMNS) {
    __m512bh first = (__m512bh)_mm512_loadu_si512(panel);
    __m512bh second = (__m512bh)_mm512_loadu_si512(panel + CK_PANEL_COLUMNS);
    _Pragma("unroll") for (int m = 0; m < rows; m++) {
      int32_t pair;
      memcpy(&pair, ROW(from, a_stride, m), sizeof pair);
      __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
      total[m][0] = _mm512_dpbf16_ps(total[m][0], value, first);
      total[m][1] = _mm512_dpbf16_ps(total[m][1], value, second);
    }
    MOVE_ON(from, 2, rows)
  }
  _Pragma("unroll") for (int m = 0; m < rows; m++) {
    float *out = c + m * c_stride;
    if (adds) {
      total[m][0] = _mm512_add_ps(_mm512_maskz_loadu_ps(low, out), total[m][0]);
      total[m][1] = _mm512_add_ps(_mm512_maskz_loadu_ps(high, out + 16), total[m][1]);
    }
    _mm512_mask_storeu_ps(out, low, total[m][0]);
    _mm512_mask_storeu_ps(out + 16, high, total[m][1]);
  }
}

#include "../bodies/row_sweep.h"

static void pair_product(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns, int adds) {
  sweep_rows(a, a_stride, rows, panel, depth, c, c_stride, columns, adds);
}

static size_t repeat_pairs(size_t rounds, uint16_t x, uint16_t y, float *sum) {
  __m512 total[PEAK_SUMS];
  __m512bh left = (__m512bh)_mm512_set1_epi16((int16_t)x), right = (__m512bh)_mm512_set1_epi16((int16_t)y);
  _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) total[i] = _mm512_set1_ps((float)i);
  for (size_t r = 0; r < rounds; r++)
    _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) total[i] = _mm512_dpbf16_ps(total[i], left, right);
  for (int i = 0; i < PEAK_SUMS; i++) *sum += _mm512_reduce_add_ps(_mm512_sub_ps(total[i], _mm512_set1_ps((float)i)));
  return rounds * PEAK_SUMS * 32;
}

void ck_fill_avx512_bf16(ck_table *table) {
  table->pair_product = pair_product;
  table->repeat_pairs = repeat_pairs;
}

#pragma clang attribute pop
#endif

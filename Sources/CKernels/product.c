// The blocked product of f32 activations with f32 panels of weights.
//
// A panel holds 32 outputs, input after input: panel[k][32]. Activations are read where they lie, rows apart by their
// stride, so that a convolution reads its padded input without unfolding it. The sum over a panel's depth starts at 0, is one
// chain of fused multiply-adds in ascending k, and is then added to the output: the same bits for any cut into rows and
// panels, and errors that grow with a panel's depth and the number of panels, not with their product.

#include "ckernels.h"
#include "floats.h"

#define COLUMNS CK_PANEL_COLUMNS

void ck_panel_product_scalar(
  const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,
  size_t columns) {
  for (size_t m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) {
      float total = 0;
      for (size_t k = 0; k < depth; k++) total = __builtin_fmaf(a[m * a_stride + k], panel[k * COLUMNS + n], total);
      c[m * c_stride + n] += total;
    }
}

// `ROWS` rows times `VECTORS` vectors of LANES outputs, from column `n`; `last` of the last vector's lanes are stored.
#define TILE(NAME, TARGET, LANES, VECTORS, LOAD, STORE, BROADCAST, FMA, ADD, VECTOR)                                \
  TARGET static inline __attribute__((always_inline)) void NAME(                                                    \
    const float *a, size_t a_stride, const float *panel, size_t depth, float *c, size_t c_stride, size_t columns,   \
    int rows) {                                                                                                     \
    VECTOR total[12][VECTORS];                                                                                      \
    float edge[12][LANES * VECTORS];                                                                                \
    int whole = columns >= LANES * VECTORS;                                                                         \
    _Pragma("unroll") for (int m = 0; m < rows; m++)                                                                \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) total[m][v] = BROADCAST(0);                               \
    for (size_t k = 0; k < depth; k++) {                                                                            \
      VECTOR weights[VECTORS];                                                                                      \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) weights[v] = LOAD(panel + k * COLUMNS + v * LANES);       \
      _Pragma("unroll") for (int m = 0; m < rows; m++) {                                                            \
        VECTOR value = BROADCAST(a[m * a_stride + k]);                                                              \
        _Pragma("unroll") for (int v = 0; v < VECTORS; v++) total[m][v] = FMA(value, weights[v], total[m][v]);      \
      }                                                                                                             \
    }                                                                                                               \
    if (whole) {                                                                                                    \
      _Pragma("unroll") for (int m = 0; m < rows; m++)                                                              \
        _Pragma("unroll") for (int v = 0; v < VECTORS; v++) {                                                       \
          float *out = c + m * c_stride + v * LANES;                                                                \
          STORE(out, ADD(LOAD(out), total[m][v]));                                                                  \
        }                                                                                                           \
      return;                                                                                                       \
    }                                                                                                               \
    _Pragma("unroll") for (int m = 0; m < rows; m++)                                                                \
      _Pragma("unroll") for (int v = 0; v < VECTORS; v++) STORE(edge[m] + v * LANES, total[m][v]);                  \
    for (int m = 0; m < rows; m++)                                                                                  \
      for (size_t n = 0; n < columns; n++) c[m * c_stride + n] += edge[m][n];                                       \
  }

// All rows of one run of columns, `MOST` at a time.
#define SWEEP(NAME, TILE_NAME, TARGET, MOST)                                                                        \
  TARGET static void NAME(                                                                                          \
    const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,      \
    size_t columns) {                                                                                               \
    size_t m = 0;                                                                                                   \
    for (; m + MOST <= rows; m += MOST)                                                                             \
      TILE_NAME(a + m * a_stride, a_stride, panel, depth, c + m * c_stride, c_stride, columns, MOST);               \
    const float *rest = a + m * a_stride;                                                                           \
    float *out = c + m * c_stride;                                                                                  \
    switch (rows - m) {                                                                                             \
      case 11: if (MOST > 11) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 11); break;           \
      case 10: if (MOST > 10) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 10); break;           \
      case 9: if (MOST > 9) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 9); break;              \
      case 8: if (MOST > 8) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 8); break;              \
      case 7: if (MOST > 7) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 7); break;              \
      case 6: if (MOST > 6) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 6); break;              \
      case 5: if (MOST > 5) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 5); break;              \
      case 4: if (MOST > 4) TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 4); break;              \
      case 3: TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 3); break;                            \
      case 2: TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 2); break;                            \
      case 1: TILE_NAME(rest, a_stride, panel, depth, out, c_stride, columns, 1); break;                            \
    }                                                                                                               \
  }

#if defined(__x86_64__)
#include <immintrin.h>
TILE(tile_avx512, TARGET_AVX512, 16, 2, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, __m512)
SWEEP(sweep_avx512, tile_avx512, TARGET_AVX512, 12)
TILE(tile_avx2, TARGET_AVX2, 8, 2, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, __m256)
SWEEP(sweep_avx2, tile_avx2, TARGET_AVX2, 6)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define NEON_FMA(VALUE, WEIGHTS, TOTAL) vfmaq_f32(TOTAL, VALUE, WEIGHTS)
TILE(tile_neon, , 4, 4, vld1q_f32, vst1q_f32, vdupq_n_f32, NEON_FMA, vaddq_f32, float32x4_t)
SWEEP(sweep_neon, tile_neon, , 6)
#endif

void ck_panel_product(
  const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,
  size_t columns) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) return sweep_avx512(a, a_stride, rows, panel, depth, c, c_stride, columns);
  if (ck_isa() & CK_ISA_AVX2) {
    for (size_t n = 0; n < columns; n += 16)
      sweep_avx2(a, a_stride, rows, panel + n, depth, c + n, c_stride, columns - n < 16 ? columns - n : 16);
    return;
  }
#elif defined(__aarch64__)
  for (size_t n = 0; n < columns; n += 16)
    sweep_neon(a, a_stride, rows, panel + n, depth, c + n, c_stride, columns - n < 16 ? columns - n : 16);
  return;
#endif
  ck_panel_product_scalar(a, a_stride, rows, panel, depth, c, c_stride, columns);
}

// Packing. A block of 16 outputs x 16 inputs turns in registers; what is left over goes one by one.

BODY void pack_rows_body(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
  for (size_t n = 0; n < COLUMNS; n++)
    for (size_t k = 0; k < depth; k++) {
      float value = 0;
      if (n < columns) {
        if (dtype == CK_BF16) value = float_of_bits(widen_bf16(((const uint16_t *)b)[n * stride + k]));
        else if (dtype == CK_F16) value = float_of_bits(widen_f16(((const uint16_t *)b)[n * stride + k]));
        else value = ((const float *)b)[n * stride + k];
      }
      panel[k * COLUMNS + n] = value;
    }
}

void ck_pack_rows_scalar(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
  pack_rows_body(panel, b, dtype, stride, columns, depth);
}

#if defined(__x86_64__)
// Turns 16 vectors of 16: row r, lane l becomes row l, lane r.
TARGET_AVX512 static inline __attribute__((always_inline)) void turn(__m512i r[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
  }
}

// Two bf16 lie in one lane: half the turning. Little-endian: the low half is the earlier input.
TARGET_AVX512 static void pack_bf16_avx512(
  float *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = columns == COLUMNS ? depth / 32 * 32 : 0;
  for (size_t k = 0; k < whole; k += 32)
    for (size_t n = 0; n < COLUMNS; n += 16) {
      __m512i r[16];
      for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(b + (n + i) * stride + k);
      turn(r);
      for (int i = 0; i < 16; i++) {
        _mm512_storeu_si512(panel + (k + 2 * i) * COLUMNS + n, _mm512_slli_epi32(r[i], 16));
        _mm512_storeu_si512(
          panel + (k + 2 * i + 1) * COLUMNS + n, _mm512_and_si512(r[i], _mm512_set1_epi32((int)0xFFFF0000)));
      }
    }
  if (whole < depth) pack_rows_body(panel + whole * COLUMNS, b + whole, CK_BF16, stride, columns, depth - whole);
}

TARGET_AVX512 static void pack_f32_avx512(float *panel, const float *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = columns == COLUMNS ? depth / 16 * 16 : 0;
  for (size_t k = 0; k < whole; k += 16)
    for (size_t n = 0; n < COLUMNS; n += 16) {
      __m512i r[16];
      for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(b + (n + i) * stride + k);
      turn(r);
      for (int i = 0; i < 16; i++) _mm512_storeu_si512(panel + (k + i) * COLUMNS + n, r[i]);
    }
  if (whole < depth) pack_rows_body(panel + whole * COLUMNS, b + whole, CK_F32, stride, columns, depth - whole);
}
#endif

void ck_pack_rows(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) {
    if (dtype == CK_BF16) return pack_bf16_avx512(panel, b, stride, columns, depth);
    if (dtype == CK_F32) return pack_f32_avx512(panel, b, stride, columns, depth);
  }
#endif
  pack_rows_body(panel, b, dtype, stride, columns, depth);
}

// Pairs: two neighbouring inputs in one lane, as bf16.

void ck_pair_product_scalar(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns) {
  for (size_t m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) {
      float total = 0;
      for (size_t k = 0; k < depth; k += 2)
        for (size_t i = 2; i-- > 0;) {
          float value = float_of_bits(widen_bf16(a[m * a_stride + k + i]));
          float weight = float_of_bits(widen_bf16(panel[(k / 2 * COLUMNS + n) * 2 + i]));
          total = __builtin_fmaf(value, weight, total);
        }
      c[m * c_stride + n] += total;
    }
}

#if defined(__x86_64__)
#define TARGET_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c")))
#define PAIR_ROWS 12

TARGET_BF16 static inline __attribute__((always_inline)) void pair_tile(
  const uint16_t *a, size_t a_stride, const uint16_t *panel, size_t depth, float *c, size_t c_stride, size_t columns,
  int rows) {
  __m512 total[PAIR_ROWS][2];
  __mmask16 low = columns >= 16 ? 0xFFFF : (__mmask16)((1u << columns) - 1);
  __mmask16 high = columns >= 32 ? 0xFFFF : columns > 16 ? (__mmask16)((1u << (columns - 16)) - 1) : 0;
  _Pragma("unroll") for (int m = 0; m < rows; m++) {
    total[m][0] = _mm512_setzero_ps();
    total[m][1] = _mm512_setzero_ps();
  }
  for (size_t k = 0; k < depth; k += 2) {
    __m512bh first = (__m512bh)_mm512_loadu_si512(panel + k * COLUMNS);
    __m512bh second = (__m512bh)_mm512_loadu_si512(panel + k * COLUMNS + 32);
    _Pragma("unroll") for (int m = 0; m < rows; m++) {
      int32_t pair;
      __builtin_memcpy(&pair, a + m * a_stride + k, 4);
      __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
      total[m][0] = _mm512_dpbf16_ps(total[m][0], value, first);
      total[m][1] = _mm512_dpbf16_ps(total[m][1], value, second);
    }
  }
  _Pragma("unroll") for (int m = 0; m < rows; m++) {
    float *out = c + m * c_stride;
    _mm512_mask_storeu_ps(out, low, _mm512_add_ps(_mm512_maskz_loadu_ps(low, out), total[m][0]));
    _mm512_mask_storeu_ps(out + 16, high, _mm512_add_ps(_mm512_maskz_loadu_ps(high, out + 16), total[m][1]));
  }
}

TARGET_BF16 static void pair_sweep(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns) {
  size_t m = 0;
  for (; m + PAIR_ROWS <= rows; m += PAIR_ROWS)
    pair_tile(a + m * a_stride, a_stride, panel, depth, c + m * c_stride, c_stride, columns, PAIR_ROWS);
  a += m * a_stride;
  c += m * c_stride;
#define REST(N) \
  case N: pair_tile(a, a_stride, panel, depth, c, c_stride, columns, N); break;
  switch (rows - m) { REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) REST(9) REST(10) REST(11) }
#undef REST
}

TARGET_AVX512 static void pack_pairs_avx512(uint16_t *panel, const uint16_t *b, size_t stride, size_t depth) {
  for (size_t k = 0; k < depth; k += 32)
    for (size_t n = 0; n < COLUMNS; n += 16) {
      __m512i r[16];
      for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(b + (n + i) * stride + k);
      turn(r);
      for (int i = 0; i < 16; i++) _mm512_storeu_si512(panel + ((k / 2 + i) * COLUMNS + n) * 2, r[i]);
    }
}
#endif

void ck_pair_product(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512_BF16) return pair_sweep(a, a_stride, rows, panel, depth, c, c_stride, columns);
#endif
  ck_pair_product_scalar(a, a_stride, rows, panel, depth, c, c_stride, columns);
}

void ck_pack_pairs(uint16_t *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  size_t done = 0;
#if defined(__x86_64__)
  if ((ck_isa() & CK_ISA_AVX512) && columns == COLUMNS) {
    done = depth / 32 * 32;
    pack_pairs_avx512(panel, b, stride, done);
  }
#endif
  for (size_t k = done; k < depth; k++)
    for (size_t n = 0; n < COLUMNS; n++)
      panel[(k / 2 * COLUMNS + n) * 2 + k % 2] = n < columns ? b[n * stride + k] : 0;
  if (depth % 2)
    for (size_t n = 0; n < COLUMNS; n++) panel[(depth / 2 * COLUMNS + n) * 2 + 1] = 0;
}

BODY void ck_pair_rows_body(uint16_t *out, const float *even, const float *odd, size_t count) {
  uint32_t *pairs = (uint32_t *)out;
  for (size_t n = 0; n < count; n++)
    pairs[n] = narrow_bf16(bits_of_float(even[n])) | (uint32_t)narrow_bf16(bits_of_float(odd[n])) << 16;
}
WITH_ISA(ck_pair_rows, (uint16_t *out, const float *even, const float *odd, size_t count), (out, even, odd, count))

void ck_pack_columns(float *panel, const float *b, size_t stride, size_t columns, size_t depth) {
  for (size_t k = 0; k < depth; k++) {
    if (columns == COLUMNS) {
      memcpy(panel + k * COLUMNS, b + k * stride, COLUMNS * sizeof(float));
      continue;
    }
    for (size_t n = 0; n < COLUMNS; n++) panel[k * COLUMNS + n] = n < columns ? b[k * stride + n] : 0;
  }
}

// One row of activations: each weight is read once, so its bytes set the pace.

BODY float dot(const void *w, int dtype, const float *x, size_t depth) {
  enum { LANES = 64 };
  float lanes[LANES] = {0};
  size_t k = 0;
  for (; k + LANES <= depth; k += LANES)
    for (int l = 0; l < LANES; l++) {
      float weight = dtype == CK_BF16 ? float_of_bits(widen_bf16(((const uint16_t *)w)[k + l]))
        : dtype == CK_F16 ? float_of_bits(widen_f16(((const uint16_t *)w)[k + l])) : ((const float *)w)[k + l];
      lanes[l] = __builtin_fmaf(weight, x[k + l], lanes[l]);
    }
  for (int l = 0; k < depth; k++, l++) {
    float weight = dtype == CK_BF16 ? float_of_bits(widen_bf16(((const uint16_t *)w)[k]))
      : dtype == CK_F16 ? float_of_bits(widen_f16(((const uint16_t *)w)[k])) : ((const float *)w)[k];
    lanes[l] = __builtin_fmaf(weight, x[k], lanes[l]);
  }
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int l = 0; l < width; l++) lanes[l] += lanes[l + width];
  return lanes[0];
}

BODY void ck_dot_rows_body(
  float *out, const void *w, int dtype, size_t stride, size_t rows, const float *x, size_t depth) {
  for (size_t n = 0; n < rows; n++) {
    if (dtype == CK_BF16) out[n] += dot((const uint16_t *)w + n * stride, CK_BF16, x, depth);
    else if (dtype == CK_F16) out[n] += dot((const uint16_t *)w + n * stride, CK_F16, x, depth);
    else out[n] += dot((const float *)w + n * stride, CK_F32, x, depth);
  }
}
WITH_ISA(
  ck_dot_rows, (float *out, const void *w, int dtype, size_t stride, size_t rows, const float *x, size_t depth),
  (out, w, dtype, stride, rows, x, depth))

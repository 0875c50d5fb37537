// Packing with AVX-512. A block of 16 outputs x 16 inputs turns in registers; what is left over goes one by one.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,f16c"))), apply_to = function)

#include "../bodies/leftover_packing.h"

// Turns 16 vectors of 16: row r, lane l becomes row l, lane r.
BODY void turn(__m512i r[16]) {
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

// Sixteen rows of 64 bytes, a row of the matrix each, `stride` bytes apart, turned.
BODY void load_turned(__m512i r[16], const void *b, size_t stride) {
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512((const uint8_t *)b + i * stride);
  turn(r);
}

// Inputs of whole blocks of `step`, which only a whole panel has.
BODY size_t whole_blocks(size_t columns, size_t depth, size_t step) {
  return columns == CK_PANEL_COLUMNS ? depth / step * step : 0;
}

// Sixteen f16, each in the upper half of a lane, widened: the processor's instruction would change a NaN.
BODY __m512i widen_upper_halves(__m512i lanes) {
  __m512i magnitude = _mm512_srli_epi32(_mm512_and_si512(lanes, _mm512_set1_epi32(0x7FFF0000)), 3);
  __m512i scaled = _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(magnitude), _mm512_set1_ps(0x1p112f)));
  __mmask16 is_special = _mm512_cmpge_epu32_mask(magnitude, _mm512_set1_epi32(0x7C00 << 13));
  __m512i value = _mm512_mask_or_epi32(scaled, is_special, magnitude, _mm512_set1_epi32(0x7F800000));
  return _mm512_or_si512(value, _mm512_and_si512(lanes, _mm512_set1_epi32((int)0x80000000)));
}

// What lies in the upper halves of 16 lanes, in f32. dtype is a constant.
BODY __m512i upper_halves(__m512i lanes, int dtype) {
  return dtype == CK_BF16 ? _mm512_and_si512(lanes, _mm512_set1_epi32((int)0xFFFF0000)) : widen_upper_halves(lanes);
}

// Two inputs of 16 bits lie in one lane: half the turning. Little-endian: the low half is the earlier one.
BODY void pack_16_bits(float *panel, const uint16_t *b, int dtype, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_blocks(columns, depth, 32);
  for (size_t k = 0; k < whole; k += 32)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += 16) {
      __m512i r[16];
      load_turned(r, b + n * stride + k, stride * sizeof *b);
      for (int i = 0; i < 16; i++) {
        float *to = panel + (k + 2 * i) * CK_PANEL_COLUMNS + n;
        _mm512_storeu_si512(to, upper_halves(_mm512_slli_epi32(r[i], 16), dtype));
        _mm512_storeu_si512(to + CK_PANEL_COLUMNS, upper_halves(r[i], dtype));
      }
    }
  pack_rows_from(whole, panel, b, dtype, stride, columns, depth);
}

BODY void pack_f32(float *panel, const float *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_blocks(columns, depth, 16);
  for (size_t k = 0; k < whole; k += 16)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += 16) {
      __m512i r[16];
      load_turned(r, b + n * stride + k, stride * sizeof *b);
      for (int i = 0; i < 16; i++) _mm512_storeu_si512(panel + (k + i) * CK_PANEL_COLUMNS + n, r[i]);
    }
  pack_rows_from(whole, panel, b, CK_F32, stride, columns, depth);
}

static void pack_rows(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
  if (dtype == CK_BF16) pack_16_bits(panel, b, CK_BF16, stride, columns, depth);
  else if (dtype == CK_F16) pack_16_bits(panel, b, CK_F16, stride, columns, depth);
  else pack_f32(panel, b, stride, columns, depth);
}

static void pack_pairs(uint16_t *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_blocks(columns, depth, 32);
  for (size_t k = 0; k < whole; k += 32)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += 16) {
      __m512i r[16];
      load_turned(r, b + n * stride + k, stride * sizeof *b);
      for (int i = 0; i < 16; i++) _mm512_storeu_si512(panel + ((k / 2 + i) * CK_PANEL_COLUMNS + n) * 2, r[i]);
    }
  pack_pairs_from(whole, panel, b, stride, columns, depth);
}

void ck_fill_avx512_packing(ck_table *table) {
  table->pack_rows = pack_rows;
  table->pack_pairs = pack_pairs;
}

#pragma clang attribute pop
#endif

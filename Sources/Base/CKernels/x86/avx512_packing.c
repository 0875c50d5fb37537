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

// Two bf16 lie in one lane: half the turning. Little-endian: the low half is the earlier input.
BODY void pack_bf16(float *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_blocks(columns, depth, 32);
  for (size_t k = 0; k < whole; k += 32)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += 16) {
      __m512i r[16];
      load_turned(r, b + n * stride + k, stride * sizeof *b);
      for (int i = 0; i < 16; i++) {
        float *to = panel + (k + 2 * i) * CK_PANEL_COLUMNS + n;
        _mm512_storeu_si512(to, _mm512_slli_epi32(r[i], 16));
        _mm512_storeu_si512(to + CK_PANEL_COLUMNS, _mm512_and_si512(r[i], _mm512_set1_epi32((int)0xFFFF0000)));
      }
    }
  pack_rows_from(whole, panel, b, CK_BF16, stride, columns, depth);
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
  if (dtype == CK_BF16) pack_bf16(panel, b, stride, columns, depth);
  else if (dtype == CK_F32) pack_f32(panel, b, stride, columns, depth);
  else pack_rows_from(0, panel, b, CK_F16, stride, columns, depth);
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

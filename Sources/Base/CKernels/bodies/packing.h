// Packing matrices into panels.
#include "leftover_packing.h"

enum { SQUARE = 8 };
typedef uint32_t square_row __attribute__((vector_size(SQUARE * 4)));

// Eight rows of 32 bytes, `stride` bytes apart, turned: row r, lane l becomes row l, lane r. Three rounds of interleaving halves.
BODY void load_turned(square_row line[SQUARE], const uint8_t *b, size_t stride) {
  square_row next[SQUARE];
  for (int r = 0; r < SQUARE; r++) memcpy(&line[r], b + r * stride, sizeof *line);
  for (int round = 0; round < 3; round++) {
    for (int r = 0; r < SQUARE / 2; r++) {
      next[2 * r] = __builtin_shufflevector(line[r], line[r + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      next[2 * r + 1] = __builtin_shufflevector(line[r], line[r + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int r = 0; r < SQUARE; r++) line[r] = next[r];
  }
}

// Inputs of whole squares, `step` to a row, which only a whole panel has.
BODY size_t whole_squares(size_t columns, size_t depth, size_t step) {
  return columns == CK_PANEL_COLUMNS ? depth / step * step : 0;
}

BODY void pack_f32(float *panel, const float *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_squares(columns, depth, SQUARE);
  for (size_t k = 0; k < whole; k += SQUARE)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += SQUARE) {
      square_row line[SQUARE];
      load_turned(line, (const uint8_t *)(b + n * stride + k), stride * sizeof *b);
      for (int i = 0; i < SQUARE; i++) memcpy(panel + (k + i) * CK_PANEL_COLUMNS + n, &line[i], sizeof *line);
    }
  pack_rows_from(whole, panel, b, CK_F32, stride, columns, depth);
}

// Two inputs of 16 bits lie in one lane: half the turning. Little-endian: the low half is the earlier one. `dtype` is a constant.
BODY void pack_16_bits(float *panel, const uint16_t *b, int dtype, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_squares(columns, depth, 2 * SQUARE);
  for (size_t k = 0; k < whole; k += 2 * SQUARE)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += SQUARE) {
      square_row line[SQUARE];
      load_turned(line, (const uint8_t *)(b + n * stride + k), stride * sizeof *b);
      for (int i = 0; i < SQUARE; i++) {
        float *to = panel + (k + 2 * i) * CK_PANEL_COLUMNS + n;
        for (int late = 0; late < 2; late++)
          for (int l = 0; l < SQUARE; l++) {
            uint16_t bits = (uint16_t)(line[i][l] >> 16 * late);
            to[late * CK_PANEL_COLUMNS + l] = float_of_bits(dtype == CK_BF16 ? widen_bf16(bits) : widen_f16(bits));
          }
      }
    }
  pack_rows_from(whole, panel, b, dtype, stride, columns, depth);
}

static void pack_rows(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth) {
  if (dtype == CK_BF16) pack_16_bits(panel, b, CK_BF16, stride, columns, depth);
  else if (dtype == CK_F16) pack_16_bits(panel, b, CK_F16, stride, columns, depth);
  else pack_f32(panel, b, stride, columns, depth);
}

static void pack_columns(float *panel, const float *b, size_t stride, size_t columns, size_t depth) {
  for (size_t k = 0; k < depth; k++) {
    if (columns == CK_PANEL_COLUMNS) {
      memcpy(panel + k * CK_PANEL_COLUMNS, b + k * stride, CK_PANEL_COLUMNS * sizeof(float));
      continue;
    }
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n++) panel[k * CK_PANEL_COLUMNS + n] = n < columns ? b[k * stride + n] : 0;
  }
}

static void pack_pairs(uint16_t *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth) {
  size_t whole = whole_squares(columns, depth, 2 * SQUARE);
  for (size_t k = 0; k < whole; k += 2 * SQUARE)
    for (size_t n = 0; n < CK_PANEL_COLUMNS; n += SQUARE) {
      square_row line[SQUARE];
      load_turned(line, (const uint8_t *)(b + n * stride + k), stride * sizeof *b);
      for (int i = 0; i < SQUARE; i++) memcpy(panel + ((k / 2 + i) * CK_PANEL_COLUMNS + n) * 2, &line[i], sizeof *line);
    }
  pack_pairs_from(whole, panel, b, stride, columns, depth);
}

static void pair_rows(uint16_t *out, const float *even, const float *odd, size_t count) {
  uint32_t *pairs = (uint32_t *)out;
  for (size_t n = 0; n < count; n++)
    pairs[n] = narrow_bf16(bits_of_float(even[n])) | (uint32_t)narrow_bf16(bits_of_float(odd[n])) << 16;
}

// Values of a tile as the searches for scales want them.
#ifndef CKERNELS_TILE_LOADING_H
#define CKERNELS_TILE_LOADING_H

#include "tile.h"

// NaN counts as 0, infinity as the largest finite value of its row of the tile, with its sign.
BODY void tame(float *x, int columns) {
  float largest[TILE_ROWS];
  FOR_ROWS largest[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float magnitude = __builtin_fabsf(x[c * TILE_ROWS + r]);
    largest[r] = magnitude < __builtin_inff() && magnitude > largest[r] ? magnitude : largest[r];
  }
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * TILE_ROWS + r];
    value = value != value ? 0.0f : value;
    value = value == __builtin_inff() ? largest[r] : value;
    x[c * TILE_ROWS + r] = value == -__builtin_inff() ? -largest[r] : value;
  }
}

// `width` elements of one row of a tile, widened. A whole row has a length that the compiler knows.
BODY void load_row(const void *values, int dtype, size_t index, int width, uint32_t *row) {
  if (width == TILE_COLUMNS)
    for (int c = 0; c < TILE_COLUMNS; c++) row[c] = element_bits(values, dtype, index + c);
  else
    for (int c = 0; c < width; c++) row[c] = element_bits(values, dtype, index + c);
}

// Columns of some rows, column by column: x[c * 16 + r], widened and tamed; zeros beyond the rows and columns.
// `dtype` is a constant.
BODY void load_tile(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t first, int width, float *x) {
  uint32_t plain[TILE_ROWS][TILE_COLUMNS] __attribute__((aligned(64)));
  memset(plain, 0, sizeof plain);
  for (size_t r = 0; r < rows; r++) load_row(values, dtype, r * row_stride + first, width, plain[r]);
  uint32_t special = 0;
  FOR_ROWS for (int c = 0; c < TILE_COLUMNS; c++) special |= (plain[r][c] & 0x7F800000u) == 0x7F800000u;
  turn_square(plain[0], TILE_COLUMNS, x, TILE_ROWS);
  turn_square(&plain[0][16], TILE_COLUMNS, x + 16 * TILE_ROWS, TILE_ROWS);
  if (special) tame(x, width);
}

#endif

// Activations as the weights of a product in 8 bits: tiles like those of a file, without a search for scales.
#include "group_search.h"
#include "tile.h"

// The f16 at or above a magnitude over 127, so that no code is cut off. NaN stays NaN.
BODY uint16_t scale_over(float largest) {
  float exact = largest / 127.0f;
  uint16_t half = narrow_f16(bits_of_float(exact));
  return (uint16_t)(half + (float_of_bits(widen_f16(half)) < exact));
}

// Values column by column, x[c * 16 + r].
BODY void round_tile(const float *x, uint8_t *codes, uint16_t *scales) {
  uint32_t largest[TILE_ROWS];
  float inverse[TILE_ROWS];
  FOR_ROWS largest[r] = 0;
  for (int c = 0; c < TILE_COLUMNS; c++) FOR_ROWS {
    uint32_t magnitude = bits_of_float(x[c * TILE_ROWS + r]) & 0x7FFFFFFFu;
    largest[r] = magnitude > largest[r] ? magnitude : largest[r];
  }
  FOR_ROWS scales[r] = scale_over(float_of_bits(largest[r]));
  FOR_ROWS inverse[r] = reciprocal(float_of_bits(widen_f16(scales[r])));
  for (int c = 0; c < TILE_COLUMNS; c += line_columns(8), codes += TILE_ROWS * 4) {
    uint32_t word[TILE_ROWS] = {0};
    for (int k = 0; k < line_columns(8); k++) FOR_ROWS {
      // The sum's low bits are the nearest integer, ties to even, plus the offset of codes.
      float shifted = __builtin_fmaf(x[(c + k) * TILE_ROWS + r], inverse[r], 12582912.0f + code_offset(8));
      word[r] |= (bits_of_float(shifted) & 0xFF) << 8 * k;
    }
    memcpy(codes, word, sizeof word);
  }
}

static void round_rows(
  const float *x, size_t stride, size_t rows, size_t columns, uint8_t *codes, uint16_t *scales) {
  for (size_t first = 0; first < columns; first += TILE_COLUMNS, codes += tile_bytes(8), scales += TILE_ROWS) {
    float plain[TILE_ROWS][TILE_COLUMNS] __attribute__((aligned(64)));
    float turned[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    int width = tile_width(first, columns);
    if (width < TILE_COLUMNS || rows < TILE_ROWS) memset(plain, 0, sizeof plain);
    for (size_t r = 0; r < rows; r++) memcpy(plain[r], x + r * stride + first, width * sizeof *x);
    turn_square(plain[0], TILE_COLUMNS, turned, TILE_ROWS);
    turn_square(&plain[0][16], TILE_COLUMNS, turned + 16 * TILE_ROWS, TILE_ROWS);
    round_tile(turned, codes, scales);
  }
}

static void round_columns(
  const float *x, size_t stride, size_t rows, size_t columns, uint8_t *codes, uint16_t *scales) {
  for (size_t first = 0; first < rows; first += TILE_COLUMNS, codes += tile_bytes(8), scales += TILE_ROWS) {
    float tile[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    int depth = tile_width(first, rows);
    if (depth < TILE_COLUMNS || columns < TILE_ROWS) memset(tile, 0, sizeof tile);
    for (int k = 0; k < depth; k++) memcpy(tile + k * TILE_ROWS, x + (first + k) * stride, columns * sizeof *x);
    round_tile(tile, codes, scales);
  }
}

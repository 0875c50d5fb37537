// Decoding stripes, to rows and to panels.
#include "tile.h"

// The values of one tile, column by column, as the lines lie.
BODY void decode_tile(const uint8_t *codes, const uint16_t *scales, int bits, float value[TILE_COLUMNS][TILE_ROWS]) {
  float scale[TILE_ROWS];
  FOR_ROWS scale[r] = float_of_bits(widen_f16(scales[r]));
  for (int c = 0; c < TILE_COLUMNS; c += line_columns(bits), codes += TILE_ROWS * 4) {
    uint32_t word[TILE_ROWS];
    memcpy(word, codes, sizeof word);
    for (int k = 0; k < line_columns(bits); k++) FOR_ROWS {
      int32_t code = (int32_t)(word[r] >> code_shift(k, bits) & (bits == 8 ? 255 : 15));
      value[c + k][r] = (float)(code - code_offset(bits)) * scale[r];
    }
  }
}

BODY void decode_rows(
  const uint8_t *codes, const uint16_t *scales, size_t rows, size_t columns, int bits, float *out, size_t row_stride) {
  for (size_t first = 0; first < columns; first += TILE_COLUMNS, codes += tile_bytes(bits), scales += TILE_ROWS) {
    size_t width = (size_t)tile_width(first, columns);
    float value[TILE_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
    float plain[TILE_ROWS][TILE_COLUMNS] __attribute__((aligned(64)));
    decode_tile(codes, scales, bits, value);
    turn_square(value[0], TILE_ROWS, plain[0], TILE_COLUMNS);
    turn_square(value[16], TILE_ROWS, &plain[0][16], TILE_COLUMNS);
    for (size_t r = 0; r < rows; r++) {
      if (width == TILE_COLUMNS) memcpy(out + r * row_stride + first, plain[r], sizeof plain[r]);
      else memcpy(out + r * row_stride + first, plain[r], width * sizeof(float));
    }
  }
}

// The columns of a tile are what a panel holds: nothing turns.
BODY void decode_columns(const uint8_t *codes, const uint16_t *scales, size_t columns, int bits, float *panel) {
  for (size_t first = 0; first < columns; first += TILE_COLUMNS, codes += tile_bytes(bits), scales += TILE_ROWS) {
    int width = tile_width(first, columns);
    float value[TILE_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
    decode_tile(codes, scales, bits, value);
    for (int c = 0; c < width; c++) memcpy(panel + (first + c) * CK_PANEL_COLUMNS, value[c], sizeof value[c]);
  }
}

// `bits` is a constant in each call, so that both widths are compiled on their own.
static void decode_stripe(
  const uint8_t *codes, const uint16_t *scales, size_t rows, size_t columns, int bits, float *out, size_t row_stride) {
  if (bits == 8) decode_rows(codes, scales, rows, columns, 8, out, row_stride);
  else decode_rows(codes, scales, rows, columns, 4, out, row_stride);
}

static void decode_panel(const uint8_t *codes, const uint16_t *scales, size_t columns, int bits, float *panel) {
  if (bits == 8) decode_columns(codes, scales, columns, 8, panel);
  else decode_columns(codes, scales, columns, 4, panel);
}

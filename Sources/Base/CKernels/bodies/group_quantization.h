// Quantizing stripes in groups of 32 columns.
#include "group_search.h"
#include "tile_loading.h"

// Codes of a tile in the order of formats/bantam.md, section 8; sums of the errors. Words are stored as they lie in
// memory on little-endian machines, the only ones that are built for.
BODY void write_tile(
  const float *x, int rows, int columns, int bits, const float *scale, uint8_t *codes, uint16_t *scales,
  ck_error_sums *sums) {
  int offset = code_offset(bits);
  float inverse[TILE_ROWS], largest[TILE_ROWS];
  double source[TILE_ROWS], coded[TILE_ROWS], both[TILE_ROWS], error[TILE_ROWS];
  uint32_t code[TILE_COLUMNS][TILE_ROWS], inside[TILE_ROWS];
  FOR_ROWS inverse[r] = reciprocal(scale[r]);
  FOR_ROWS source[r] = coded[r] = both[r] = error[r] = 0;
  FOR_ROWS largest[r] = 0;
  FOR_ROWS inside[r] = r < rows ? 0xFFFFFFFFu : 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * TILE_ROWS + r];
    float rounded = rounded_code(value, inverse[r], -(float)offset, (float)(offset - 1));
    double exact = value, decoded = (double)(rounded * scale[r]), difference = exact - decoded;
    float magnitude = __builtin_fabsf((float)difference);
    code[c][r] = ((uint32_t)(int32_t)rounded + (uint32_t)offset) & inside[r];
    source[r] = __builtin_fma(exact, exact, source[r]);
    coded[r] = __builtin_fma(decoded, decoded, coded[r]);
    both[r] = __builtin_fma(exact, decoded, both[r]);
    error[r] = __builtin_fma(difference, difference, error[r]);
    largest[r] = magnitude > largest[r] ? magnitude : largest[r];
  }
  for (int c = columns; c < TILE_COLUMNS; c++) FOR_ROWS code[c][r] = 0;
  for (int r = 0; r < rows; r++) {
    sums->source_square += source[r];
    sums->coded_square += coded[r];
    sums->product += both[r];
    sums->error_square += error[r];
    sums->largest_error = largest[r] > sums->largest_error ? largest[r] : sums->largest_error;
  }
  FOR_ROWS scales[r] = (uint16_t)(narrow_f16(bits_of_float(scale[r])) & inside[r]);
  for (int c = 0; c < TILE_COLUMNS; c += line_columns(bits), codes += TILE_ROWS * 4) {
    uint32_t word[TILE_ROWS] = {0};
    for (int k = 0; k < line_columns(bits); k++) FOR_ROWS word[r] |= code[c + k][r] << code_shift(k, bits);
    memcpy(codes, word, sizeof word);
  }
}

BODY void quantize_tiles(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes,
  uint16_t *scales, ck_error_sums *sums) {
  for (size_t first = 0; first < columns; first += TILE_COLUMNS, codes += tile_bytes(bits), scales += TILE_ROWS) {
    float x[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    float scale[TILE_ROWS];
    int width = tile_width(first, columns);
    load_tile(values, dtype, row_stride, rows, first, width, x);
    search_scales(x, width, bits, scale);
    write_tile(x, (int)rows, width, bits, scale, codes, scales, sums);
  }
}

// `bits` and `dtype` are constants in each call, so that every case is compiled on its own.
BODY void quantize_by_type(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes,
  uint16_t *scales, ck_error_sums *sums) {
  if (dtype == CK_BF16) quantize_tiles(values, CK_BF16, row_stride, rows, columns, bits, codes, scales, sums);
  else if (dtype == CK_F16) quantize_tiles(values, CK_F16, row_stride, rows, columns, bits, codes, scales, sums);
  else quantize_tiles(values, CK_F32, row_stride, rows, columns, bits, codes, scales, sums);
}

static void quantize_stripe(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes,
  uint16_t *scales, ck_error_sums *sums) {
  if (bits == 8) quantize_by_type(values, dtype, row_stride, rows, columns, 8, codes, scales, sums);
  else quantize_by_type(values, dtype, row_stride, rows, columns, 4, codes, scales, sums);
}

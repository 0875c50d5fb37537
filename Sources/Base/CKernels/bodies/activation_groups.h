// Activations quantized to 8 bits in groups of 32 columns.
#include "tile.h"

// A whole group; what is beyond the columns is 0.
BODY void quantize_group(const float *group, int8_t *codes, float *scale, int32_t *sum, int32_t *half_sum) {
  // Bits of magnitudes are in the order of the magnitudes. A NaN is the largest: it becomes the scale, and is not lost.
  uint32_t bits = 0;
  for (int c = 0; c < TILE_COLUMNS; c++) {
    uint32_t magnitude = bits_of_float(group[c]) & 0x7FFFFFFFu;
    bits = magnitude > bits ? magnitude : bits;
  }
  float largest = float_of_bits(bits);
  float inverse = largest > 0 ? 127.0f / largest : 0;
  uint32_t code[TILE_COLUMNS], total = 0, first_half = 0;
  for (int c = 0; c < TILE_COLUMNS; c++) {
    // The sum has no bits left for a fraction: its low ones are the nearest integer, ties to even.
    code[c] = bits_of_float(group[c] * inverse + 12582912.0f) - bits_of_float(12582912.0f);
    total += code[c];
  }
  for (int c = 0; c < TILE_COLUMNS / 2; c++) first_half += code[c];
  write_codes(code, codes);
  *scale = largest / 127.0f;
  *sum = (int32_t)total;
  *half_sum = (int32_t)first_half;
}

static void quantize_activations(
  const float *x, size_t row_count, size_t columns, int8_t *codes, float *scales, int32_t *sums,
  int32_t *half_sums) {
  for (size_t m = 0; m < row_count; m++, x += columns)
    for (size_t first = 0; first < columns; first += TILE_COLUMNS, codes += TILE_COLUMNS) {
      int width = tile_width(first, columns);
      if (width == TILE_COLUMNS) {
        quantize_group(x + first, codes, scales++, sums++, half_sums++);
        continue;
      }
      float group[TILE_COLUMNS] = {0};
      memcpy(group, x + first, width * sizeof(float));
      quantize_group(group, codes, scales++, sums++, half_sums++);
    }
}

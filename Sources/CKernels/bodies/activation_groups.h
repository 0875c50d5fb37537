// Activations quantized to 8 bits in groups of 32 columns.
#include "tile.h"

static void quantize_activations(
  const float *x, size_t row_count, size_t columns, int8_t *codes, float *scales, int32_t *sums) {
  size_t groups = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  for (size_t m = 0; m < row_count; m++)
    for (size_t g = 0; g < groups; g++) {
      int width = tile_width(g * TILE_COLUMNS, columns);
      const float *group = x + m * columns + g * TILE_COLUMNS;
      float largest = 0;
      for (int c = 0; c < width; c++) {
        float magnitude = __builtin_fabsf(group[c]);
        largest = magnitude > largest ? magnitude : largest;
      }
      float scale = largest / 127.0f, inverse = largest > 0 ? 127.0f / largest : 0;
      int32_t sum = 0;
      for (int c = 0; c < TILE_COLUMNS; c++) {
        // The sum has no bits left for a fraction: it is rounded to the nearest integer, ties to even.
        float rounded = c < width ? (group[c] * inverse + 12582912.0f) - 12582912.0f : 0;
        codes[(m * groups + g) * TILE_COLUMNS + c] = (int8_t)rounded;
        sum += (int8_t)rounded;
      }
      scales[m * groups + g] = scale;
      sums[m * groups + g] = sum;
    }
}

// The softmax of blocked attention in 8 bits, as the product with the values takes it.
#include "running_softmax.h"
#include "tile.h"

// The largest score of a group. Bits of floats are in the order of the floats once those of negative ones are turned.
BODY float largest_of_group(const float *x) {
  int32_t largest = INT32_MIN;
  for (int c = 0; c < TILE_COLUMNS; c++) {
    int32_t bits = (int32_t)bits_of_float(x[c]);
    int32_t place = bits ^ (bits >> 31 & 0x7FFFFFFF);
    largest = place > largest ? place : largest;
  }
  return float_of_bits((uint32_t)(largest ^ (largest >> 31 & 0x7FFFFFFF)));
}

// Powers of a group, of which the largest is 127, rounded to integers, and their sum. `seen` keeps a NaN.
BODY int32_t exponentiate_group(const float *x, float largest, float scale, int8_t *codes, float *seen) {
  uint32_t code[TILE_COLUMNS], sum = 0;
  for (int c = 0; c < TILE_COLUMNS; c++) {
    float power = exp_of((x[c] - largest) * scale);
    seen[c] += power;
    // The low bits are the nearest integer, ties to even.
    code[c] = bits_of_float(__builtin_fmaf(power, 127.0f, 12582912.0f)) - bits_of_float(12582912.0f);
    sum += code[c];
  }
  write_codes(code, codes);
  return (int32_t)sum;
}

// A NaN among what was seen, else 0.
BODY float lost(const float *seen) {
  uint32_t largest = 0;
  for (int c = 0; c < TILE_COLUMNS; c++) {
    uint32_t magnitude = bits_of_float(seen[c]) & 0x7FFFFFFFu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest > 0x7F800000u ? float_of_bits(largest) : 0;
}

static void softmax_codes(
  const float *scores, size_t stride, size_t rows, size_t width, float scale, float *maxima, float *sums, float *output,
  size_t output_stride, size_t output_columns, int8_t *codes, float *scales, int32_t *code_sums) {
  size_t groups = (width + TILE_COLUMNS - 1) / TILE_COLUMNS, whole = width / TILE_COLUMNS;
  // Beyond the width nothing is seen.
  float rest[TILE_COLUMNS];
  for (int c = 0; c < TILE_COLUMNS; c++) rest[c] = -__builtin_inff();
  for (size_t m = 0; m < rows; m++, scales += groups, code_sums += groups) {
    const float *x = scores + m * stride;
    float seen[TILE_COLUMNS] = {0};
    if (groups > whole) memcpy(rest, x + whole * TILE_COLUMNS, (width - whole * TILE_COLUMNS) * sizeof *x);
    float top = maxima[m];
    for (size_t g = 0; g < groups; g++) {
      scales[g] = largest_of_group(g < whole ? x + g * TILE_COLUMNS : rest);
      top = top > scales[g] ? top : scales[g];
    }
    for (size_t g = 0; g < groups; g++, codes += TILE_COLUMNS)
      code_sums[g] = exponentiate_group(g < whole ? x + g * TILE_COLUMNS : rest, scales[g], scale, codes, seen);
    EACH_ALONE for (size_t g = 0; g < groups; g++) scales[g] = exp_of((scales[g] - top) * scale) / 127.0f;
    float sum = lost(seen);
    for (size_t g = 0; g < groups; g++) sum += (float)code_sums[g] * scales[g];
    add_powers(sum, top, scale, &maxima[m], &sums[m], output + m * output_stride, output_columns);
  }
}

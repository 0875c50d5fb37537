// One row of exact activations times weights in a group encoding: the codes are read once, where they lie.
#include "tile.h"

// Sums of one group for each of some tiles, `stride` bytes apart: a chain of fused multiply-adds over the columns, for each
// output one. tiles and bits are constants.
BODY void group_sums(
  const uint8_t *codes, size_t stride, const float *x, int tiles, int bits, float sum[][TILE_ROWS]) {
  // Turning the upper bit of a code takes its offset off.
  uint32_t offsets = bits == 8 ? 0x80808080u : 0x88888888u;
  for (int t = 0; t < tiles; t++) FOR_ROWS sum[t][r] = 0;
  for (int c = 0; c < TILE_COLUMNS; c += line_columns(bits), codes += TILE_ROWS * 4) {
    uint32_t word[4][TILE_ROWS];
    for (int t = 0; t < tiles; t++) {
      memcpy(word[t], codes + t * stride, sizeof word[t]);
      FOR_ROWS word[t][r] ^= offsets;
    }
    for (int k = 0; k < line_columns(bits); k++) {
      int left = 32 - bits - code_shift(k, bits);
      for (int t = 0; t < tiles; t++) FOR_ROWS {
        int32_t code = (int32_t)(word[t][r] << left) >> (32 - bits);
        sum[t][r] = __builtin_fmaf((float)code, x[c + k], sum[t][r]);
      }
    }
  }
}

BODY void row_of_tiles(
  const uint8_t *codes, const uint16_t *scales, const float *x, size_t columns, int tiles, int bits, float *out,
  size_t outputs) {
  size_t groups = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  float total[4][TILE_ROWS] = {{0}};
  for (size_t g = 0; g < groups; g++, codes += tile_bytes(bits), scales += TILE_ROWS) {
    float sum[4][TILE_ROWS], last[TILE_COLUMNS] = {0};
    const float *group = x + g * TILE_COLUMNS;
    if (columns - g * TILE_COLUMNS < TILE_COLUMNS) {
      memcpy(last, group, (columns - g * TILE_COLUMNS) * sizeof(float));
      group = last;
    }
    for (int t = 0; t < tiles; t++)
      for (int line = 0; line < bits; line++)
        __builtin_prefetch(codes + t * groups * tile_bytes(bits) + 2048 + line * 64);
    group_sums(codes, groups * tile_bytes(bits), group, tiles, bits, sum);
    for (int t = 0; t < tiles; t++) FOR_ROWS {
      float scale = float_of_bits(widen_f16(scales[t * groups * TILE_ROWS + r]));
      total[t][r] = __builtin_fmaf(sum[t][r], scale, total[t][r]);
    }
  }
  for (int t = 0; t < tiles; t++)
    for (size_t r = 0; r < TILE_ROWS && t * TILE_ROWS + r < outputs; r++) out[t * TILE_ROWS + r] += total[t][r];
}

BODY void row_of_all(
  const uint8_t *codes, const uint16_t *scales, const float *x, size_t columns, int bits, float *out, size_t outputs) {
  size_t groups = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  while (outputs > 0) {
    size_t taken = outputs >= 4 * TILE_ROWS ? 4 : 1, done = taken * TILE_ROWS < outputs ? taken * TILE_ROWS : outputs;
    if (taken == 4) row_of_tiles(codes, scales, x, columns, 4, bits, out, outputs);
    else row_of_tiles(codes, scales, x, columns, 1, bits, out, outputs);
    codes += taken * groups * tile_bytes(bits);
    scales += taken * groups * TILE_ROWS;
    out += done;
    outputs -= done;
  }
}

// `bits` is a constant in each call, so that both widths are compiled on their own.
static void multiply_row(
  const uint8_t *codes, const uint16_t *scales, int bits, const float *x, size_t columns, float *out, size_t outputs) {
  if (bits == 8) row_of_all(codes, scales, x, columns, 8, out, outputs);
  else row_of_all(codes, scales, x, columns, 4, out, outputs);
}

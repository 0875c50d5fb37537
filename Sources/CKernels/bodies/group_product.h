// Products of quantized weights, read where they lie, with quantized activations. The sum over a group starts at
// -offset x the sum of its activations, so that the offset of the codes costs nothing.
#include "tile.h"

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  int step = line_columns(p->bits), mask = (1 << p->bits) - 1;
  for (size_t tile = first_tile; tile < last_tile; tile++)
    for (size_t m = 0; m < p->row_count; m++)
      for (size_t r = 0; r < TILE_ROWS && tile * TILE_ROWS + r < p->output_count; r++) {
        float total = 0;
        for (size_t g = 0; g < p->group_count; g++) {
          const uint8_t *codes = p->codes + (tile * p->group_count + g) * tile_bytes(p->bits);
          const int8_t *activations = p->activations + (m * p->group_count + g) * TILE_COLUMNS;
          int32_t sum = -code_offset(p->bits) * p->activation_sums[m * p->group_count + g];
          for (int c = 0; c < TILE_COLUMNS; c++) {
            uint32_t word;
            memcpy(&word, codes + (c / step * TILE_ROWS + r) * 4, sizeof word);
            sum += (int32_t)(word >> code_shift(c % step, p->bits) & mask) * activations[c];
          }
          float scale = float_of_bits(widen_f16(p->scales[(tile * p->group_count + g) * TILE_ROWS + r]));
          total = __builtin_fmaf((float)sum, scale * p->activation_scales[m * p->group_count + g], total);
        }
        p->output[m * p->output_stride + tile * TILE_ROWS + r] = total;
      }
}

// Products of quantized weights, read where they lie, with quantized activations. The sum over a group starts at
// -offset x the sum of its activations, so that the offset of the codes costs nothing.
#include "tile.h"

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  int step = line_columns(p->bits), mask = (1 << p->bits) - 1;
  size_t groups = p->run_count * p->run_groups;
  for (size_t tile = first_tile; tile < last_tile; tile++)
    for (size_t m = 0; m < p->row_count; m++)
      for (size_t r = 0; r < TILE_ROWS && tile * TILE_ROWS + r < p->output_count; r++) {
        float total = 0;
        for (size_t g = 0; g < groups; g++) {
          const uint8_t *codes = p->codes + (tile * groups + g) * tile_bytes(p->bits);
          size_t at = m * p->row_stride + p->run_offsets[g / p->run_groups] + g % p->run_groups;
          int32_t sum = -code_offset(p->bits) * p->activation_sums[at];
          for (int c = 0; c < TILE_COLUMNS; c++) {
            uint32_t word;
            memcpy(&word, codes + (c / step * TILE_ROWS + r) * 4, sizeof word);
            sum += (int32_t)(word >> code_shift(c % step, p->bits) & mask) * p->activations[at * TILE_COLUMNS + c];
          }
          float scale = float_of_bits(widen_f16(p->scales[(tile * groups + g) * TILE_ROWS + r]));
          total = __builtin_fmaf((float)sum, scale * p->activation_scales[at], total);
        }
        p->output[m * p->output_stride + tile * TILE_ROWS + r] = total;
      }
}

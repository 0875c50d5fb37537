// The product of bf16 with panels of pairs: two neighbouring inputs in one lane, the later one added first.
#include "floats.h"

static void pair_product(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns, int adds) {
  for (size_t m = 0; m < rows; m++)
    for (size_t n = 0; n < columns; n++) {
      float total = 0;
      for (size_t k = 0; k < depth; k += 2)
        for (size_t i = 2; i-- > 0;) {
          float value = float_of_bits(widen_bf16(a[m * a_stride + k + i]));
          float weight = float_of_bits(widen_bf16(panel[(k / 2 * CK_PANEL_COLUMNS + n) * 2 + i]));
          total = __builtin_fmaf(value, weight, total);
        }
      c[m * c_stride + n] = adds ? c[m * c_stride + n] + total : total;
    }
}

// One row of activations: each weight is read once, so its bytes set the pace.
#include "floats.h"

enum { DOT_LANES = 64 };

BODY float dot(const void *w, size_t first, int dtype, const float *x, size_t depth) {
  float lanes[DOT_LANES] = {0};
  size_t k = 0;
  for (; k + DOT_LANES <= depth; k += DOT_LANES)
    for (int l = 0; l < DOT_LANES; l++)
      lanes[l] = __builtin_fmaf(float_of_bits(element_bits(w, dtype, first + k + l)), x[k + l], lanes[l]);
  for (int l = 0; k < depth; k++, l++)
    lanes[l] = __builtin_fmaf(float_of_bits(element_bits(w, dtype, first + k)), x[k], lanes[l]);
  for (int width = DOT_LANES / 2; width > 0; width /= 2)
    for (int l = 0; l < width; l++) lanes[l] += lanes[l + width];
  return lanes[0];
}

static void dot_rows(
  float *out, const void *w, int dtype, size_t stride, size_t rows, const float *x, size_t depth) {
  // The type is a constant in each call, so that each is compiled on its own.
  for (size_t n = 0; n < rows; n++) {
    if (dtype == CK_BF16) out[n] += dot(w, n * stride, CK_BF16, x, depth);
    else if (dtype == CK_F16) out[n] += dot(w, n * stride, CK_F16, x, depth);
    else out[n] += dot(w, n * stride, CK_F32, x, depth);
  }
}

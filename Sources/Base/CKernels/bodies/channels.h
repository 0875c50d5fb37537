// Sums and scales of the channels of [pixels, channels].
#include "mathematics.h"

static void channel_sums(double *sums, double *squares, const float *x, size_t pixels, size_t channels) {
  for (size_t p = 0; p < pixels; p++)
    for (size_t c = 0; c < channels; c++) {
      double value = x[p * channels + c];
      sums[c] += value;
      squares[c] += value * value;
    }
}

static void scale_shift(
  float *out, const float *in, const float *scale, const float *shift, size_t pixels, size_t channels, int with_silu) {
  for (size_t p = 0; p < pixels; p++) {
    const float *x = in + p * channels;
    float *y = out + p * channels;
    if (with_silu)
      EACH_ALONE
      for (size_t c = 0; c < channels; c++) y[c] = silu_of(__builtin_fmaf(x[c], scale[c], shift[c]));
    else
      EACH_ALONE
      for (size_t c = 0; c < channels; c++) y[c] = __builtin_fmaf(x[c], scale[c], shift[c]);
  }
}

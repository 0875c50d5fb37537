// Normalizations and the softmax of blocked attention. Sums run in 16 lanes (index mod 16), added up in ascending order:
// every instruction set gives the same bits.

#include "ckernels.h"
#include "mathematics.h"

// The same bits for every instruction set: only what is written as one is fused.
#pragma STDC FP_CONTRACT OFF

#define LANES 16

BODY double sum_of(const double lanes[LANES]) {
  double total = 0;
  for (int i = 0; i < LANES; i++) total += lanes[i];
  return total;
}

BODY double mean_square(const float *x, size_t count, double around) {
  double lanes[LANES] = {0};
  size_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int l = 0; l < LANES; l++) {
      double d = (double)x[i + l] - around;
      lanes[l] += d * d;
    }
  for (int l = 0; i < count; i++, l++) lanes[l] += ((double)x[i] - around) * ((double)x[i] - around);
  return sum_of(lanes) / (double)count;
}

BODY double mean(const float *x, size_t count) {
  double lanes[LANES] = {0};
  size_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int l = 0; l < LANES; l++) lanes[l] += (double)x[i + l];
  for (int l = 0; i < count; i++, l++) lanes[l] += (double)x[i];
  return sum_of(lanes) / (double)count;
}

BODY void ck_rms_norm_body(
  float *out, const float *in, const float *weight, const float *scale, size_t rows, size_t columns, float eps) {
  for (size_t m = 0; m < rows; m++) {
    const float *x = in + m * columns;
    float *y = out + m * columns;
    float factor = (float)(1.0 / __builtin_sqrt(mean_square(x, columns, 0) + (double)eps));
    if (scale)
      for (size_t c = 0; c < columns; c++) y[c] = x[c] * factor * weight[c] * (1.0f + scale[c]);
    else
      for (size_t c = 0; c < columns; c++) y[c] = x[c] * factor * weight[c];
  }
}
WITH_ISA(
  ck_rms_norm,
  (float *out, const float *in, const float *weight, const float *scale, size_t rows, size_t columns, float eps),
  (out, in, weight, scale, rows, columns, eps))

BODY void ck_layer_norm_body(
  float *out, const float *in, const float *weight, const float *bias, const float *scale, size_t rows, size_t columns,
  float eps) {
  for (size_t m = 0; m < rows; m++) {
    const float *x = in + m * columns;
    float *y = out + m * columns;
    double center = mean(x, columns);
    float factor = (float)(1.0 / __builtin_sqrt(mean_square(x, columns, center) + (double)eps)), middle = (float)center;
    if (weight)
      for (size_t c = 0; c < columns; c++) y[c] = __builtin_fmaf((x[c] - middle) * factor, weight[c], bias[c]);
    else
      for (size_t c = 0; c < columns; c++) y[c] = (x[c] - middle) * factor;
    if (scale)
      for (size_t c = 0; c < columns; c++) y[c] *= 1.0f + scale[c];
  }
}
WITH_ISA(
  ck_layer_norm,
  (float *out, const float *in, const float *weight, const float *bias, const float *scale, size_t rows, size_t columns,
   float eps),
  (out, in, weight, bias, scale, rows, columns, eps))

BODY void ck_channel_sums_body(double *sums, double *squares, const float *x, size_t pixels, size_t channels) {
  for (size_t p = 0; p < pixels; p++)
    for (size_t c = 0; c < channels; c++) {
      double value = x[p * channels + c];
      sums[c] += value;
      squares[c] += value * value;
    }
}
WITH_ISA(
  ck_channel_sums, (double *sums, double *squares, const float *x, size_t pixels, size_t channels),
  (sums, squares, x, pixels, channels))

BODY void ck_scale_shift_body(
  float *out, const float *in, const float *scale, const float *shift, size_t pixels, size_t channels, int with_silu) {
  for (size_t p = 0; p < pixels; p++) {
    const float *x = in + p * channels;
    float *y = out + p * channels;
    if (with_silu)
      for (size_t c = 0; c < channels; c++) y[c] = silu(__builtin_fmaf(x[c], scale[c], shift[c]));
    else
      for (size_t c = 0; c < channels; c++) y[c] = __builtin_fmaf(x[c], scale[c], shift[c]);
  }
}
WITH_ISA(
  ck_scale_shift,
  (float *out, const float *in, const float *scale, const float *shift, size_t pixels, size_t channels, int with_silu),
  (out, in, scale, shift, pixels, channels, with_silu))

BODY float largest(const float *x, size_t count, float start) {
  float lanes[LANES];
  for (int l = 0; l < LANES; l++) lanes[l] = start;
  size_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int l = 0; l < LANES; l++) lanes[l] = lanes[l] > x[i + l] ? lanes[l] : x[i + l];
  for (; i < count; i++) lanes[0] = lanes[0] > x[i] ? lanes[0] : x[i];
  float result = start;
  for (int l = 0; l < LANES; l++) result = result > lanes[l] ? result : lanes[l];
  return result;
}

BODY void ck_softmax_block_body(
  float *scores, size_t stride, size_t rows, const size_t *lengths, size_t width, float scale, float *maxima,
  float *sums, float *output, size_t output_stride, size_t output_columns) {
  for (size_t m = 0; m < rows; m++) {
    float *x = scores + m * stride;
    size_t count = lengths[m] < width ? lengths[m] : width;
    // Maxima are of the scores before they are scaled: a difference of large scores is exact then, the scaled ones' is not.
    float before = maxima[m];
    float top = largest(x, count, before);
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
      for (int l = 0; l < LANES; l++) {
        float e = exponential((x[i + l] - top) * scale);
        x[i + l] = e;
        lanes[l] += e;
      }
    for (int l = 0; i < count; i++, l++) {
      float e = exponential((x[i] - top) * scale);
      x[i] = e;
      lanes[l] += e;
    }
    for (; i < width; i++) x[i] = 0;
    float sum = 0;
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    if (top != before) {
      float shrink = exponential((before - top) * scale);
      sums[m] *= shrink;
      for (size_t c = 0; c < output_columns; c++) output[m * output_stride + c] *= shrink;
    }
    sums[m] += sum;
    maxima[m] = top;
  }
}
WITH_ISA(
  ck_softmax_block,
  (float *scores, size_t stride, size_t rows, const size_t *lengths, size_t width, float scale, float *maxima,
   float *sums, float *output, size_t output_stride, size_t output_columns),
  (scores, stride, rows, lengths, width, scale, maxima, sums, output, output_stride, output_columns))

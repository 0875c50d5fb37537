// Normalizations of rows. Sums run in 16 lanes (index mod 16), added up in ascending order.
#include "floats.h"

enum { NORM_LANES = 16 };

BODY double mean_of_lanes(const double lanes[NORM_LANES], size_t count) {
  double total = 0;
  for (int l = 0; l < NORM_LANES; l++) total += lanes[l];
  return total / (double)count;
}

BODY double square_around(float x, double center) {
  double distance = (double)x - center;
  return distance * distance;
}

BODY double mean_square(const float *x, size_t count, double center) {
  double lanes[NORM_LANES] = {0};
  size_t i = 0;
  for (; i + NORM_LANES <= count; i += NORM_LANES)
    for (int l = 0; l < NORM_LANES; l++) lanes[l] += square_around(x[i + l], center);
  for (int l = 0; i < count; i++, l++) lanes[l] += square_around(x[i], center);
  return mean_of_lanes(lanes, count);
}

BODY double mean(const float *x, size_t count) {
  double lanes[NORM_LANES] = {0};
  size_t i = 0;
  for (; i + NORM_LANES <= count; i += NORM_LANES)
    for (int l = 0; l < NORM_LANES; l++) lanes[l] += (double)x[i + l];
  for (int l = 0; i < count; i++, l++) lanes[l] += (double)x[i];
  return mean_of_lanes(lanes, count);
}

static void rms_norm(
  float *out, const float *in, const float *weight, const float *scale, size_t rows, size_t columns, float eps) {
  for (size_t m = 0; m < rows; m++) {
    const float *x = in + m * columns;
    float *y = out + m * columns;
    float factor = (float)(1.0 / __builtin_sqrt(mean_square(x, columns, 0) + (double)eps));
    if (scale)
      EACH_ALONE
      for (size_t c = 0; c < columns; c++) y[c] = x[c] * factor * weight[c] * (1.0f + scale[c]);
    else
      EACH_ALONE
      for (size_t c = 0; c < columns; c++) y[c] = x[c] * factor * weight[c];
  }
}

static void layer_norm(
  float *out, const float *in, const float *weight, const float *bias, const float *scale, size_t rows, size_t columns,
  float eps) {
  for (size_t m = 0; m < rows; m++) {
    const float *x = in + m * columns;
    float *y = out + m * columns;
    double center = mean(x, columns);
    float factor = (float)(1.0 / __builtin_sqrt(mean_square(x, columns, center) + (double)eps));
    float middle = (float)center;
    if (weight)
      EACH_ALONE
      for (size_t c = 0; c < columns; c++) y[c] = __builtin_fmaf((x[c] - middle) * factor, weight[c], bias[c]);
    else
      EACH_ALONE
      for (size_t c = 0; c < columns; c++) y[c] = (x[c] - middle) * factor;
    if (scale)
      EACH_ALONE
      for (size_t c = 0; c < columns; c++) y[c] *= 1.0f + scale[c];
  }
}

// Sums and rotations over runs of f32.
#include "floats.h"

static void sum_two(float *out, const float *x, const float *y, size_t count) {
  EACH_ALONE
  for (size_t i = 0; i < count; i++) out[i] = x[i] + y[i];
}

static void sum_three(float *out, const float *x, const float *y, const float *z, size_t count) {
  EACH_ALONE
  for (size_t i = 0; i < count; i++) out[i] = (x[i] + y[i]) + z[i];
}

static void multiply_add(float *x, const float *y, const float *factor, size_t count) {
  EACH_ALONE
  for (size_t i = 0; i < count; i++) x[i] = __builtin_fmaf(y[i], factor[i], x[i]);
}

static void combine(float *x, float p, const float *y, float q, size_t count) {
  EACH_ALONE
  for (size_t i = 0; i < count; i++) x[i] = __builtin_fmaf(q, y[i], p * x[i]);
}

static void rotate_halves(float *x, const float *cosine, const float *sine, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[i], b = x[half + i];
    x[i] = a * cosine[i] - b * sine[i];
    x[half + i] = b * cosine[i] + a * sine[i];
  }
}

static void rotate_pairs(float *x, const float *cosine, const float *sine, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cosine[i] - b * sine[i];
    x[2 * i + 1] = a * sine[i] + b * cosine[i];
  }
}

static uint64_t count_nonfinite(const float *x, size_t count) {
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) total += (bits_of_float(x[i]) & 0x7F800000u) == 0x7F800000u;
  return total;
}

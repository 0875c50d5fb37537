// The softmax of blocked attention. Sums run in 16 lanes (index mod 16), added up in ascending order.
#include "running_softmax.h"

enum { SOFTMAX_LANES = 16 };

BODY float largest_of(const float *x, size_t count, float start) {
  float lanes[SOFTMAX_LANES];
  for (int l = 0; l < SOFTMAX_LANES; l++) lanes[l] = start;
  size_t i = 0;
  for (; i + SOFTMAX_LANES <= count; i += SOFTMAX_LANES)
    for (int l = 0; l < SOFTMAX_LANES; l++) lanes[l] = lanes[l] > x[i + l] ? lanes[l] : x[i + l];
  for (; i < count; i++) lanes[0] = lanes[0] > x[i] ? lanes[0] : x[i];
  float result = start;
  for (int l = 0; l < SOFTMAX_LANES; l++) result = result > lanes[l] ? result : lanes[l];
  return result;
}

// Scores become powers, whose sum it gives. The maximum is of the scores before they are scaled: a difference of large
// scores is exact then, the scaled ones' is not.
BODY float exponentiate(float *x, size_t count, float maximum, float scale) {
  float lanes[SOFTMAX_LANES] = {0};
  size_t i = 0;
  for (; i + SOFTMAX_LANES <= count; i += SOFTMAX_LANES)
    for (int l = 0; l < SOFTMAX_LANES; l++) {
      x[i + l] = exp_of((x[i + l] - maximum) * scale);
      lanes[l] += x[i + l];
    }
  for (int l = 0; i < count; i++, l++) {
    x[i] = exp_of((x[i] - maximum) * scale);
    lanes[l] += x[i];
  }
  float sum = 0;
  for (int l = 0; l < SOFTMAX_LANES; l++) sum += lanes[l];
  return sum;
}

static void softmax_block(
  float *scores, size_t stride, size_t rows, const size_t *lengths, size_t width, float scale, float *maxima,
  float *sums, float *output, size_t output_stride, size_t output_columns) {
  for (size_t m = 0; m < rows; m++) {
    float *x = scores + m * stride;
    size_t count = lengths[m] < width ? lengths[m] : width;
    float top = largest_of(x, count, maxima[m]);
    float sum = exponentiate(x, count, top, scale);
    for (size_t i = count; i < width; i++) x[i] = 0;
    add_powers(sum, top, scale, &maxima[m], &sums[m], output + m * output_stride, output_columns);
  }
}

// The most that instructions come to: operands stay in registers, and enough sums run side by side that none waits for the one before.
// The unit has said before how many PEAK_LANES of f32 a vector has.
#include "floats.h"
#include "peak_sums.h"

typedef float peak_vector __attribute__((ext_vector_type(PEAK_LANES)));

// All lanes of all sums, less what they began with.
BODY float all_of(const peak_vector *total) {
  float sum = 0;
  for (int i = 0; i < PEAK_SUMS; i++)
    for (int l = 0; l < PEAK_LANES; l++) sum += total[i][l] - (float)i;
  return sum;
}

static size_t repeat_fma(size_t rounds, float x, float y, float *sum) {
  peak_vector total[PEAK_SUMS], left = x, right = y;
  _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) total[i] = (float)i;
  for (size_t r = 0; r < rounds; r++)
    _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) total[i] = __builtin_elementwise_fma(left, right, total[i]);
  *sum += all_of(total);
  return rounds * PEAK_SUMS * PEAK_LANES;
}

static size_t repeat_pairs(size_t rounds, uint16_t x, uint16_t y, float *sum) {
  return repeat_fma(2 * rounds, float_of_bits(widen_bf16(x)), float_of_bits(widen_bf16(y)), sum);
}

static size_t repeat_dots(size_t rounds, uint8_t x, int8_t y, int64_t *sum) {
  int32_t total[PEAK_SUMS], left = x;
  for (int i = 0; i < PEAK_SUMS; i++) total[i] = i;
  for (size_t r = 0; r < rounds; r++)
    _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) {
      // As if it were another: products that are alike would be made once.
      __asm__ volatile("" : "+r"(left));
      total[i] += left * y;
    }
  for (int i = 0; i < PEAK_SUMS; i++) *sum += total[i] - i;
  return rounds * PEAK_SUMS;
}

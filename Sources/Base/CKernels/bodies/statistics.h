// Statistics of a block, in 16 lanes.
#include "floats.h"

enum { STATISTICS_LANES = 16 };

// One element, given as the bits of an f32, in its lane.
BODY void count_element(
  uint32_t bits, double *square, float *low, float *high, uint32_t *zeros, uint32_t *nonfinite) {
  // The square of an f32 is exact in f64: fused or not, the sum has the same bits.
#pragma STDC FP_CONTRACT ON
  uint32_t magnitude = bits & 0x7FFFFFFF;
  uint32_t finite = magnitude < 0x7F800000u ? 0xFFFFFFFFu : 0;
  float x = float_of_bits(bits & finite);
  float below = finite ? x : __builtin_inff(), above = finite ? x : -__builtin_inff();
  *low = below < *low ? below : *low;
  *high = above > *high ? above : *high;
  *square += (double)x * (double)x;
  *zeros += magnitude == 0;
  *nonfinite += !finite;
}

BODY void add_statistics(ck_stats *stats, const void *values, int dtype, size_t count) {
  double squares[STATISTICS_LANES] = {0};
  float low[STATISTICS_LANES], high[STATISTICS_LANES];
  uint32_t zeros[STATISTICS_LANES] = {0}, nonfinite[STATISTICS_LANES] = {0};
  for (int k = 0; k < STATISTICS_LANES; k++) low[k] = __builtin_inff(), high[k] = -__builtin_inff();
  size_t i = 0;
  for (; i + STATISTICS_LANES <= count; i += STATISTICS_LANES)
    for (int k = 0; k < STATISTICS_LANES; k++)
      count_element(
        element_bits(values, dtype, i + k), &squares[k], &low[k], &high[k], &zeros[k], &nonfinite[k]);
  for (int k = 0; i < count; i++, k++)
    count_element(element_bits(values, dtype, i), &squares[k], &low[k], &high[k], &zeros[k], &nonfinite[k]);
  double sum = 0;
  for (int k = 0; k < STATISTICS_LANES; k++) {
    sum += squares[k];
    stats->minimum = low[k] < stats->minimum ? low[k] : stats->minimum;
    stats->maximum = high[k] > stats->maximum ? high[k] : stats->maximum;
    stats->zero_count += zeros[k];
    stats->nonfinite_count += nonfinite[k];
  }
  stats->square_sum += sum;
}

static void stats_bf16(ck_stats *stats, const uint16_t *values, size_t count) {
  add_statistics(stats, values, CK_BF16, count);
}

static void stats_f16(ck_stats *stats, const uint16_t *values, size_t count) {
  add_statistics(stats, values, CK_F16, count);
}

static void stats_f32(ck_stats *stats, const uint32_t *values, size_t count) {
  add_statistics(stats, values, CK_F32, count);
}

// The most that instructions for products of bytes come to. The unit has defined
//
//   enum { DOT_BYTES = ..., DOT_PRODUCTS = ... };  // of a vector; products of a lane that a group is
//   #define ADD_GROUP(SUM, X, Y) ...                 // in the processor's own vectors; X unsigned, at most 15; Y signed
#include "peak_sums.h"

typedef int32_t dot_lanes __attribute__((vector_size(DOT_BYTES)));

static size_t repeat_dots(size_t rounds, uint8_t x, int8_t y, int64_t *sum) {
  dot_lanes total[PEAK_SUMS], left, right;
  memset(&left, x, sizeof left);
  memset(&right, y, sizeof right);
  _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) total[i] = (dot_lanes){0} + i;
  for (size_t r = 0; r < rounds; r++)
    _Pragma("unroll") for (int i = 0; i < PEAK_SUMS; i++) total[i] = (dot_lanes)ADD_GROUP(total[i], left, right);
  for (int i = 0; i < PEAK_SUMS; i++)
    for (int l = 0; l < DOT_BYTES / 4; l++) *sum += total[i][l] - i;
  return rounds * PEAK_SUMS * (DOT_BYTES / 4) * DOT_PRODUCTS;
}

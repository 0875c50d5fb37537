#include "ckernels.h"
#include "floats.h"

#define LANES 16

// One body for all formats: LOAD gives the f32 bits of element i.
#define STATS(NAME, TYPE, LOAD)                                                                                  \
  BODY void NAME##_body(ck_stats *stats, const TYPE *values, size_t count) {                                     \
    double squares[LANES] = {0};                                                                                 \
    float low[LANES], high[LANES];                                                                               \
    uint32_t zeros[LANES] = {0}, nonfinite[LANES] = {0};                                                         \
    for (int k = 0; k < LANES; k++) low[k] = __builtin_inff(), high[k] = -__builtin_inff();                      \
    for (size_t i = 0; i + LANES <= count; i += LANES)                                                           \
      for (int k = 0; k < LANES; k++) {                                                                          \
        uint32_t bits = LOAD(values[i + k]);                                                                     \
        uint32_t magnitude = bits & 0x7FFFFFFF;                                                                  \
        uint32_t finite = magnitude < 0x7F800000u ? 0xFFFFFFFFu : 0;                                             \
        float x = float_of_bits(bits & finite);                                                                  \
        float below = finite ? x : __builtin_inff(), above = finite ? x : -__builtin_inff();                     \
        low[k] = below < low[k] ? below : low[k];                                                                \
        high[k] = above > high[k] ? above : high[k];                                                             \
        squares[k] += (double)x * (double)x;                                                                     \
        zeros[k] += magnitude == 0;                                                                              \
        nonfinite[k] += !finite;                                                                                 \
      }                                                                                                          \
    for (size_t i = count / LANES * LANES, k = 0; i < count; i++, k++) {                                         \
      uint32_t bits = LOAD(values[i]), magnitude = bits & 0x7FFFFFFF;                                            \
      float x = float_of_bits(bits);                                                                             \
      if (magnitude >= 0x7F800000u) {                                                                            \
        nonfinite[k]++;                                                                                          \
        continue;                                                                                                \
      }                                                                                                          \
      low[k] = x < low[k] ? x : low[k];                                                                          \
      high[k] = x > high[k] ? x : high[k];                                                                       \
      squares[k] += (double)x * (double)x;                                                                       \
      zeros[k] += magnitude == 0;                                                                                \
    }                                                                                                            \
    double sum = 0;                                                                                              \
    for (int k = 0; k < LANES; k++) {                                                                            \
      sum += squares[k];                                                                                         \
      stats->minimum = low[k] < stats->minimum ? low[k] : stats->minimum;                                        \
      stats->maximum = high[k] > stats->maximum ? high[k] : stats->maximum;                                      \
      stats->zero_count += zeros[k];                                                                             \
      stats->nonfinite_count += nonfinite[k];                                                                    \
    }                                                                                                            \
    stats->square_sum += sum;                                                                                    \
  }                                                                                                              \
  void NAME##_scalar(ck_stats *stats, const TYPE *values, size_t count) { NAME##_body(stats, values, count); }

#if defined(__x86_64__)
#define DISPATCH(NAME, TYPE)                                                                                     \
  TARGET_AVX512 static void NAME##_avx512(ck_stats *s, const TYPE *v, size_t n) { NAME##_body(s, v, n); }        \
  TARGET_AVX2 static void NAME##_avx2(ck_stats *s, const TYPE *v, size_t n) { NAME##_body(s, v, n); }            \
  void NAME(ck_stats *s, const TYPE *v, size_t n) {                                                              \
    if (ck_isa() & CK_ISA_AVX512) NAME##_avx512(s, v, n);                                                        \
    else if (ck_isa() & CK_ISA_AVX2) NAME##_avx2(s, v, n);                                                       \
    else NAME##_scalar(s, v, n);                                                                                 \
  }
#else
#define DISPATCH(NAME, TYPE) \
  void NAME(ck_stats *s, const TYPE *v, size_t n) { NAME##_scalar(s, v, n); }
#endif

#define AS_IS(bits) (bits)
STATS(ck_stats_bf16, uint16_t, widen_bf16)
STATS(ck_stats_f16, uint16_t, widen_f16)
STATS(ck_stats_f32, uint32_t, AS_IS)
DISPATCH(ck_stats_bf16, uint16_t)
DISPATCH(ck_stats_f16, uint16_t)
DISPATCH(ck_stats_f32, uint32_t)

// Activation functions, sums, and rotations over runs of f32.

#include "ckernels.h"
#include "mathematics.h"

// The same bits for every instruction set: only what is written as one is fused.
#pragma STDC FP_CONTRACT OFF

#define EACH(NAME, EXPRESSION)                                                          \
  BODY void NAME##_body(float *x, size_t count) {                                       \
    for (size_t i = 0; i < count; i++) x[i] = EXPRESSION(x[i]);                         \
  }                                                                                     \
  void NAME##_scalar(float *x, size_t count) {                                          \
    _Pragma("clang loop vectorize(disable)") for (size_t i = 0; i < count; i++) x[i] = EXPRESSION(x[i]); \
  }                                                                                     \
  WITH_ISA(NAME, (float *x, size_t count), (x, count))

EACH(ck_silu, silu)
EACH(ck_gelu, gelu)
EACH(ck_gelu_tanh, gelu_tanh)
EACH(ck_exp, exponential)

BODY void ck_silu_gate_body(float *out, const float *gate, const float *value, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = silu(gate[i]) * value[i];
}
WITH_ISA(ck_silu_gate, (float *out, const float *gate, const float *value, size_t count), (out, gate, value, count))

BODY void ck_gelu_gate_body(float *out, const float *gate, const float *value, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = gelu(gate[i]) * value[i];
}
WITH_ISA(ck_gelu_gate, (float *out, const float *gate, const float *value, size_t count), (out, gate, value, count))

BODY void ck_add_body(float *x, const float *y, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] += y[i];
}
WITH_ISA(ck_add, (float *x, const float *y, size_t count), (x, y, count))

BODY void ck_multiply_add_body(float *x, const float *y, const float *factor, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = __builtin_fmaf(y[i], factor[i], x[i]);
}
WITH_ISA(ck_multiply_add, (float *x, const float *y, const float *factor, size_t count), (x, y, factor, count))

BODY void ck_combine_body(float *x, float p, const float *y, float q, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = __builtin_fmaf(q, y[i], p * x[i]);
}
WITH_ISA(ck_combine, (float *x, float p, const float *y, float q, size_t count), (x, p, y, q, count))

BODY void ck_rotate_halves_body(float *x, const float *cosine, const float *sine, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[i], b = x[half + i];
    x[i] = a * cosine[i] - b * sine[i];
    x[half + i] = b * cosine[i] + a * sine[i];
  }
}
WITH_ISA(
  ck_rotate_halves, (float *x, const float *cosine, const float *sine, size_t half), (x, cosine, sine, half))

BODY void ck_rotate_pairs_body(float *x, const float *cosine, const float *sine, size_t half) {
  for (size_t i = 0; i < half; i++) {
    float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cosine[i] - b * sine[i];
    x[2 * i + 1] = a * sine[i] + b * cosine[i];
  }
}
WITH_ISA(
  ck_rotate_pairs, (float *x, const float *cosine, const float *sine, size_t half), (x, cosine, sine, half))

// A value whose exponent is all ones makes the sum of such exponents non-zero.
BODY uint64_t ck_count_nonfinite_body(const float *x, size_t count) {
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) total += (bits_of_float(x[i]) & 0x7F800000u) == 0x7F800000u;
  return total;
}
#if defined(__x86_64__)
TARGET_AVX512 static uint64_t nonfinite_avx512(const float *x, size_t n) { return ck_count_nonfinite_body(x, n); }
TARGET_AVX2 static uint64_t nonfinite_avx2(const float *x, size_t n) { return ck_count_nonfinite_body(x, n); }
#endif
uint64_t ck_count_nonfinite(const float *x, size_t count) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) return nonfinite_avx512(x, count);
  if (ck_isa() & CK_ISA_AVX2) return nonfinite_avx2(x, count);
#endif
  return ck_count_nonfinite_body(x, count);
}

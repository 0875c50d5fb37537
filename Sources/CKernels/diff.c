// Sums that compare two runs of f32 values, in 16 lanes of f64: every instruction set gives the same bits.
#pragma STDC FP_CONTRACT OFF

#include "ckernels.h"
#include "floats.h"

#define LANES 16

BODY void ck_diff_f32_body(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count) {
  double square_a[LANES] = {0}, square_b[LANES] = {0}, product[LANES] = {0}, error[LANES] = {0}, largest[LANES] = {0};
  uint32_t mismatches[LANES] = {0}, changed[LANES] = {0};
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = count - i < LANES ? count - i : LANES;
    for (size_t k = 0; k < lanes; k++) {
      uint32_t left = a[i + k], right = b[i + k];
      uint32_t finite =
        (left & 0x7F800000u) != 0x7F800000u && (right & 0x7F800000u) != 0x7F800000u ? 0xFFFFFFFFu : 0;
      double x = float_of_bits(left & finite), y = float_of_bits(right & finite), difference = x - y;
      double magnitude = difference < 0 ? -difference : difference;
      square_a[k] += x * x;
      square_b[k] += y * y;
      product[k] += x * y;
      error[k] += difference * difference;
      largest[k] = magnitude > largest[k] ? magnitude : largest[k];
      mismatches[k] += !finite && left != right;
      changed[k] += left != right;
    }
  }
  double found = 0;
  for (int k = 0; k < LANES; k++) {
    diff->square_a += square_a[k];
    diff->square_b += square_b[k];
    diff->product += product[k];
    diff->error_square += error[k];
    diff->nonfinite_mismatch_count += mismatches[k];
    diff->changed_count += changed[k];
    found = largest[k] > found ? largest[k] : found;
  }
  if (found > diff->largest_error) {
    diff->largest_error = found;
    for (size_t i = 0; i < count; i++) {
      double difference = (double)float_of_bits(a[i]) - (double)float_of_bits(b[i]);
      if (difference == found || difference == -found) {
        diff->largest_error_index = diff->element_count + i;
        break;
      }
    }
  }
  diff->element_count += count;
}

void ck_diff_f32_scalar(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count) {
  ck_diff_f32_body(diff, a, b, count);
}
#if defined(__x86_64__)
TARGET_AVX512 static void ck_diff_f32_avx512(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count) {
  ck_diff_f32_body(diff, a, b, count);
}
TARGET_AVX2 static void ck_diff_f32_avx2(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count) {
  ck_diff_f32_body(diff, a, b, count);
}
#endif
void ck_diff_f32(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) return ck_diff_f32_avx512(diff, a, b, count);
  if (ck_isa() & CK_ISA_AVX2) return ck_diff_f32_avx2(diff, a, b, count);
#endif
  ck_diff_f32_scalar(diff, a, b, count);
}

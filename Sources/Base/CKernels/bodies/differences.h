// Sums that compare two runs of f32 values, in 16 lanes of f64.
#include "floats.h"

enum { DIFFERENCE_LANES = 16 };

static void diff_f32(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count) {
  double square_a[DIFFERENCE_LANES] = {0}, square_b[DIFFERENCE_LANES] = {0}, product[DIFFERENCE_LANES] = {0};
  double error[DIFFERENCE_LANES] = {0}, largest[DIFFERENCE_LANES] = {0};
  uint32_t mismatches[DIFFERENCE_LANES] = {0}, changed[DIFFERENCE_LANES] = {0};
  for (size_t i = 0; i < count; i += DIFFERENCE_LANES) {
    size_t lanes = count - i < DIFFERENCE_LANES ? count - i : DIFFERENCE_LANES;
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
  for (int k = 0; k < DIFFERENCE_LANES; k++) {
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

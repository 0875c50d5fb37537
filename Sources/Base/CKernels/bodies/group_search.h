// The search for the scale of each row of a tile, whose values lie column by column: x[c * 16 + r].
#ifndef CKERNELS_GROUP_SEARCH_H
#define CKERNELS_GROUP_SEARCH_H

#include "tile.h"

// Rounds to the nearest integer, ties to even, for magnitudes below 2^22: the sum has no bits left for a fraction.
#define MAGIC 12582912.0f

// Trial scales, an even number: the element of largest magnitude becomes code low / trial. Beyond 1 it is clipped,
// which pays where the others then fall better; below 0 it takes the shorter end.
static const float trials_int8[] = {0.9922f, 0.9844f, 0.9766f, 0.9688f, 0.9609f, 0.9531f, 0.9453f, 1.0039f};
static const float trials_int4[] = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 1.05f, 1.1f, 1.15f, 1.2f, -0.95f};

BODY const float *scale_trials(int bits, int *count) {
  *count = bits == 8 ? sizeof trials_int8 / sizeof *trials_int8 : sizeof trials_int4 / sizeof *trials_int4;
  return bits == 8 ? trials_int8 : trials_int4;
}

// The smallest scales that f16 has, where the others are too coarse to be met by a trial: without them groups of tiny
// values would become zeros.
#define TINY_SCALE 0x1p-20f
#define TINY_STEP 0x1p-24f

// A choice without a branch: the loops over rows stay vectors, and nothing is guessed wrong.
BODY float choose(int condition, float yes, float no) {
  uint32_t mask = 0u - (uint32_t)condition;
  return float_of_bits((bits_of_float(yes) & mask) | (bits_of_float(no) & ~mask));
}

// The scale as it is stored: f16.
BODY float stored_scale(float scale) {
  float limited = choose(scale > 65504.0f, 65504.0f, scale);
  limited = choose(limited < -65504.0f, -65504.0f, limited);
  return float_of_bits(widen_f16(narrow_f16(bits_of_float(limited))));
}

BODY float reciprocal(float scale) { return choose(scale == 0.0f, 0.0f, 1.0f / scale); }

BODY float rounded_code(float x, float inverse, float low, float high) {
  float shifted = __builtin_fmaf(x, inverse, MAGIC);
  shifted = shifted > MAGIC + low ? shifted : MAGIC + low;  // NaN cannot come here, see tame
  shifted = shifted < MAGIC + high ? shifted : MAGIC + high;
  return shifted - MAGIC;
}

// `sum` and the squared error of a value under a scale.
BODY float add_error(float sum, float value, float scale, float inverse, float low, float high) {
  float difference = __builtin_fmaf(-rounded_code(value, inverse, low, high), scale, value);
  return __builtin_fmaf(difference, difference, sum);
}

// Squared error of a tile under the given scales, by row.
BODY void tile_error(const float *x, int columns, const float *scale, float low, float high, float *error) {
  float inverse[TILE_ROWS];
  FOR_ROWS inverse[r] = reciprocal(scale[r]);
  FOR_ROWS error[r] = 0;
  for (int c = 0; c < columns; c++)
    FOR_ROWS error[r] = add_error(error[r], x[c * TILE_ROWS + r], scale[r], inverse[r], low, high);
}

// Squared errors under two sets of scales at once: two chains of sums keep the multipliers busy.
BODY void tile_errors(
  const float *x, int columns, const float *scale_a, const float *scale_b, float low, float high, float *error_a,
  float *error_b) {
  float inverse_a[TILE_ROWS], inverse_b[TILE_ROWS], sum_a[TILE_ROWS], sum_b[TILE_ROWS];
  FOR_ROWS inverse_a[r] = reciprocal(scale_a[r]);
  FOR_ROWS inverse_b[r] = reciprocal(scale_b[r]);
  FOR_ROWS sum_a[r] = 0;
  FOR_ROWS sum_b[r] = 0;
  for (int c = 0; c < columns; c++) {
    FOR_ROWS sum_a[r] = add_error(sum_a[r], x[c * TILE_ROWS + r], scale_a[r], inverse_a[r], low, high);
    FOR_ROWS sum_b[r] = add_error(sum_b[r], x[c * TILE_ROWS + r], scale_b[r], inverse_b[r], low, high);
  }
  FOR_ROWS error_a[r] = sum_a[r];
  FOR_ROWS error_b[r] = sum_b[r];
}

// The least-squares scale for the codes that `scale` gives.
BODY void tile_refit(const float *x, int columns, const float *scale, float low, float high, float *refitted) {
  float inverse[TILE_ROWS], product[TILE_ROWS], square[TILE_ROWS];
  FOR_ROWS inverse[r] = reciprocal(scale[r]);
  FOR_ROWS product[r] = 0;
  FOR_ROWS square[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * TILE_ROWS + r];
    float code = rounded_code(value, inverse[r], low, high);
    product[r] = __builtin_fmaf(value, code, product[r]);
    square[r] = __builtin_fmaf(code, code, square[r]);
  }
  FOR_ROWS refitted[r] = stored_scale(choose(square[r] == 0.0f, 0.0f, product[r] / square[r]));
}

BODY void keep_better(const float *candidate, const float *error, float *best_scale, float *best_error) {
  FOR_ROWS {
    int better = error[r] < best_error[r];
    best_scale[r] = choose(better, candidate[r], best_scale[r]);
    best_error[r] = choose(better, error[r], best_error[r]);
  }
}

// Judges two sets of scales and keeps those that are better than the best so far.
BODY void try_scales(
  const float *x, int columns, const float *first, const float *second, float low, float high, float *best_scale,
  float *best_error) {
  float first_error[TILE_ROWS], second_error[TILE_ROWS];
  tile_errors(x, columns, first, second, low, high, first_error, second_error);
  keep_better(first, first_error, best_scale, best_error);
  keep_better(second, second_error, best_scale, best_error);
}

// Rows whose scale is not tiny keep what they have.
BODY void search_tiny_scales(
  const float *x, int columns, float low, float high, const float *plain, float *best_scale, float *best_error) {
  int tiny[TILE_ROWS], any = 0;
  FOR_ROWS {
    tiny[r] = plain[r] != 0.0f && __builtin_fabsf(plain[r]) < TINY_SCALE;
    any |= tiny[r];
  }
  if (!any) return;
  float first[TILE_ROWS], second[TILE_ROWS];
  for (int step = 1; step <= 16; step += 2) {
    FOR_ROWS {
      float sign = choose(plain[r] < 0.0f, -TINY_STEP, TINY_STEP);
      first[r] = choose(tiny[r], sign * (float)step, best_scale[r]);
      second[r] = choose(tiny[r], sign * (float)(step + 1), best_scale[r]);
    }
    try_scales(x, columns, first, second, low, high, best_scale, best_error);
  }
}

// The scale of each row of a tile. Every trial is judged by the error of the values as they will be decoded; at 4 bits
// each is refitted first.
BODY void search_scales(const float *x, int columns, int bits, float *best_scale) {
  int trial_count;
  const float *trials = scale_trials(bits, &trial_count);
  float low = -(float)code_offset(bits), high = (float)(code_offset(bits) - 1);
  float extreme[TILE_ROWS], first[TILE_ROWS], second[TILE_ROWS], error[TILE_ROWS], best_error[TILE_ROWS];
  FOR_ROWS extreme[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * TILE_ROWS + r];
    extreme[r] = choose(__builtin_fabsf(value) > __builtin_fabsf(extreme[r]), value, extreme[r]);
  }
  // The plain scale stands even where its error overflows.
  FOR_ROWS best_scale[r] = stored_scale(extreme[r] / low);
  tile_error(x, columns, best_scale, low, high, best_error);
  for (int t = 0; t < trial_count; t += 2) {
    FOR_ROWS first[r] = stored_scale(extreme[r] / (low * trials[t]));
    FOR_ROWS second[r] = stored_scale(extreme[r] / (low * trials[t + 1]));
    if (bits == 4) {
      tile_refit(x, columns, first, low, high, first);
      tile_refit(x, columns, second, low, high, second);
    }
    try_scales(x, columns, first, second, low, high, best_scale, best_error);
  }
  tile_refit(x, columns, best_scale, low, high, first);
  tile_error(x, columns, first, low, high, error);
  keep_better(first, error, best_scale, best_error);
  FOR_ROWS first[r] = extreme[r] / low;
  search_tiny_scales(x, columns, low, high, first, best_scale, best_error);
}

#endif

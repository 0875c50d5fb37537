// The best that a form of scale bytes can give: every scale and every book is tried for every group. Called by learn.py.
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MOST = 32 };  // columns of a group

// The least bfloat16 that is not below.
static float bf16_above(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  bits = (bits + 0xFFFF) & 0xFFFF0000u;
  memcpy(&x, &bits, 4);
  return x;
}

// The squared error of a group with the nearest levels; `weights`, where there are any, say what each column counts.
static double weighted_error(
  const float *x, int count, const float *levels, float scale, const uint8_t *codes, const float *weights) {
  double error = 0;
  for (int i = 0; i < count; i++) {
    double difference = x[i] - (double)levels[codes[i]] * scale;
    error += difference * difference * (weights ? weights[i] : 1);
  }
  return error;
}

// The squared error of a group under a scale; the codes of the nearest levels.
static double assign(const float *x, int count, const float *levels, int n, float scale, uint8_t *codes) {
  float value[MOST] = {0}, error = 0, inverse = 1 / scale;
  int code[MOST] = {0};
  for (int i = 0; i < count; i++) value[i] = x[i] * inverse;
  if (n <= 16) {
    for (int k = 0; k + 1 < n; k++)
      for (int i = 0; i < MOST; i++) code[i] += value[i] > (levels[k] + levels[k + 1]) / 2;
  } else {
    for (int i = 0; i < count; i++) {
      int low = 0, high = n - 1;
      while (low < high) {
        int middle = (low + high) / 2;
        if (value[i] > (levels[middle] + levels[middle + 1]) / 2) low = middle + 1;
        else high = middle;
      }
      code[i] = low;
    }
  }
  for (int i = 0; i < count; i++) {
    float difference = x[i] - levels[code[i]] * scale;
    error += difference * difference;
    codes[i] = (uint8_t)code[i];
  }
  return error;
}

// The scale that suits a group best where it can be any number.
static float free_scale(const float *x, int count, const float *levels, int n, double *least) {
  float extreme = 0, best = 0;
  uint8_t codes[MOST];
  for (int i = 0; i < count; i++)
    if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
  *least = extreme == 0 ? 0 : INFINITY;
  for (int side = 0; side < 2 && extreme != 0; side++)
    for (int trial = 0; trial < 24; trial++) {
      float scale = extreme / (side ? levels[0] : levels[n - 1]) / (0.70f + 0.025f * trial);
      if (!(scale > 0)) continue;
      for (int refit = 0; refit < 2; refit++) {
        double product = 0, square = 0;
        assign(x, count, levels, n, scale, codes);
        for (int i = 0; i < count; i++) {
          product += (double)x[i] * levels[codes[i]];
          square += (double)levels[codes[i]] * levels[codes[i]];
        }
        if (product > 0) scale = (float)(product / square);
      }
      double error = assign(x, count, levels, n, scale, codes);
      if (error < *least) {
        *least = error;
        best = scale;
      }
    }
  return best;
}

// Gives the squared error of rows, [rows, columns], each column of which counts as `weights` says: the search knows nothing of that.
// Codes groups by books [book_count, n] and multiples [multiple_count], ascending. sums, [book_count, n, 2], gets for
// each level the products of scale and value and the squares of the scale: what the best level follows from.
double code_rows(
  const float *x, long rows, long columns, int group, int book_count, int multiple_count, const float *multiples,
  const float *books, int n, const float *weights, double *sums) {
  double total = 0;
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns;
    float largest = 0;
    for (long g = 0; g < columns; g += group) {
      int count = columns - g < group ? (int)(columns - g) : group;
      double least = INFINITY;
      float scale = 0;
      for (int b = 0; b < book_count; b++) {
        double error;
        float found = free_scale(row + g, count, books + b * n, n, &error);
        if (error < least) {
          least = error;
          scale = found;
        }
      }
      largest = scale > largest ? scale : largest;
    }
    float row_scale = bf16_above(largest / multiples[multiple_count - 1]);
    if (row_scale == 0) continue;
    for (long g = 0; g < columns; g += group) {
      int count = columns - g < group ? (int)(columns - g) : group, best_book = 0;
      double least = INFINITY;
      float best = 0;
      uint8_t codes[MOST], best_codes[MOST] = {0};
      for (int s = 0; s < multiple_count; s++)
        for (int b = 0; b < book_count; b++) {
          double error = assign(row + g, count, books + b * n, n, row_scale * multiples[s], codes);
          if (error < least) {
            least = error;
            best = row_scale * multiples[s];
            best_book = b;
            memcpy(best_codes, codes, sizeof codes);
          }
        }
      total += best == 0 ? least : weighted_error(row + g, count, books + best_book * n, best, best_codes, weights ? weights + g : 0);
      for (int i = 0; sums && i < count; i++) {
        double *at = sums + (best_book * n + best_codes[i]) * 2;
        at[0] += (double)best * row[g + i];
        at[1] += (double)best * best;
      }
    }
  }
  return total;
}

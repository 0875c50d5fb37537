// The search for the scale, the shift and the codes of each row of a tile, whose values lie column by column:
// x[c * 16 + r].
#ifndef CKERNELS_BOOK_SEARCH_H
#define CKERNELS_BOOK_SEARCH_H

#include "book_tile.h"
#include "group_search.h"
#include "lookup.h"

// The levels of a book, and the places between them as a tree: a value goes from node i to node 2 i or, where it is above
// the node's number, to 2 i + 1.
typedef struct {
  float level[64], middle[64];
} book_tree;

BODY void fill_tree(const ck_book *book, int bits, book_tree *tree) {
  memset(tree, 0, sizeof *tree);
  if (bits == 8) return;
  int count = 1 << bits;
  for (int i = 0; i < count; i++) tree->level[i] = (float)book->levels[i];
  for (int node = 1; node < count; node++) {
    int depth = 31 - __builtin_clz(node);
    int right = ((node - (1 << depth)) * 2 + 1) << (bits - depth - 1);  // the first level that is above the node
    tree->middle[node] = (tree->level[right - 1] + tree->level[right]) / 2;
  }
}

BODY float_lanes lanes_of(const float *x) {
  float_lanes value;
  memcpy(&value, x, sizeof value);
  return value;
}

BODY float_lanes everywhere(float x) { return (float_lanes){0} + x; }
BODY float_lanes fused(float_lanes a, float_lanes b, float_lanes c) { return __builtin_elementwise_fma(a, b, c); }
BODY float_lanes magnitude_of(float_lanes x) { return __builtin_elementwise_abs(x); }

BODY float_lanes where(int_lanes mask, float_lanes yes, float_lanes no) {
  return (float_lanes)((mask & (int_lanes)yes) | (~mask & (int_lanes)no));
}

// The nearest integer, ties to even, held within bounds.
BODY float_lanes rounded_between(float_lanes x, float low, float high) {
  float_lanes shifted = x + MAGIC;
  shifted = where(shifted > MAGIC + low, shifted, everywhere(MAGIC + low));
  shifted = where(shifted < MAGIC + high, shifted, everywhere(MAGIC + high));
  return shifted - MAGIC;
}

BODY int table_size(int bits) { return bits <= 4 ? 16 : 1 << bits; }

// The code of the nearest level; the lower one where two are as near. At 8 bits the levels are all integers.
BODY int_lanes nearest_code(const book_tree *tree, int bits, float_lanes value) {
  if (bits == 8) return __builtin_convertvector(rounded_between(value, -128.0f, 127.0f), int_lanes) + 128;
  int_lanes node = 2 - (value > tree->middle[1]);
  for (int depth = 1; depth < bits; depth++)
    node = node + node - (value > lookup(tree->middle, table_size(bits), node));
  return node - (1 << bits);
}

BODY float_lanes level_of(const book_tree *tree, int bits, int_lanes code) {
  return bits == 8 ? __builtin_convertvector(code - 128, float_lanes)
                   : lookup(tree->level, table_size(bits), code);
}

// 1 / x, 0 where x is 0.
BODY float_lanes reciprocals(float_lanes x) {
  return where(x == 0.0f, x, 1.0f / where(x == 0.0f, everywhere(1.0f), x));
}

// Values of one group, and what the error of each column counts; NULL: as any other. `passed[c * 32 + k]` is the part of the error of
// column c that column k > c takes up; NULL where columns are rounded each for itself.
typedef struct {
  const float *x, *importance, *passed;
  int columns;
} group_values;

// The value of largest magnitude; the first of equals.
BODY float_lanes extreme_of(const group_values *group) {
  float_lanes extreme = {0};
  for (int c = 0; c < group->columns; c++) {
    float_lanes x = lanes_of(group->x + c * TILE_ROWS);
    extreme = where(magnitude_of(x) > magnitude_of(extreme), x, extreme);
  }
  return extreme;
}

// What the codes under a scale would be worth with the scale that suits them best: x.q squared over q.q. That scale takes
// the place of the one that was given.
BODY float_lanes worth_of_scale(
  const group_values *group, const book_tree *tree, int bits, float shift, float_lanes *scale) {
  float_lanes inverse = reciprocals(*scale), product = {0}, square = {0};
  for (int c = 0; c < group->columns; c++) {
    float_lanes x = lanes_of(group->x + c * TILE_ROWS);
    float_lanes q = level_of(tree, bits, nearest_code(tree, bits, x * inverse - shift)) + shift;
    float_lanes weighted = group->importance ? q * group->importance[c] : q;
    product = fused(x, weighted, product);
    square = fused(q, weighted, square);
  }
  *scale = product * reciprocals(square);
  return product * *scale;
}

// Rounds the columns of a group one after another, each with what those before it have passed on, if they pass anything on: their codes
// and errors, if wanted. There is an importance.
BODY float_lanes error_in_order(
  const group_values *group, const book_tree *tree, int bits, float_lanes shift, float_lanes scale, int_lanes *code,
  float_lanes *lost) {
  float_lanes inverse = reciprocals(scale), error = {0}, x[TILE_COLUMNS];
  for (int c = 0; c < group->columns; c++) x[c] = lanes_of(group->x + c * TILE_ROWS);
  for (int c = 0; c < group->columns; c++) {
    int_lanes found = nearest_code(tree, bits, x[c] * inverse - shift);
    float_lanes difference = fused(-(level_of(tree, bits, found) + shift), scale, x[c]);
    // What is infinite or no number stays where it is.
    difference = where(magnitude_of(difference) <= 0x1p60f, difference, (float_lanes){0});
    error = fused(difference, difference * group->importance[c], error);
    for (int k = c + 1; group->passed && k < group->columns; k++)
      x[k] = fused(-difference, everywhere(group->passed[c * TILE_COLUMNS + k]), x[k]);
    if (code) {
      code[c] = found;
      lost[c] = difference;
    }
  }
  return error;
}

// The squared error under a scale.
BODY float_lanes error_of_scale(
  const group_values *group, const book_tree *tree, int bits, float_lanes shift, float_lanes scale) {
  if (group->passed) return error_in_order(group, tree, bits, shift, scale, NULL, NULL);
  float_lanes inverse = reciprocals(scale), error = {0};
  for (int c = 0; c < group->columns; c++) {
    float_lanes x = lanes_of(group->x + c * TILE_ROWS);
    float_lanes q = level_of(tree, bits, nearest_code(tree, bits, x * inverse - shift)) + shift;
    float_lanes difference = fused(-q, scale, x);
    float_lanes weighted = group->importance ? difference * group->importance[c] : difference;
    error = fused(difference, weighted, error);
  }
  return error;
}

// Where the element of largest magnitude goes, as a part of the end of the book. Many levels have ends that few values
// need. At 8 bits the levels are so fine that the byte's own trials decide.
static const float end_trials[] = {0.80f, 0.90f, 1.00f, 1.12f};
static const float end_trials_5[] = {0.62f, 0.70f, 0.78f, 0.86f, 0.94f, 1.02f};
static const float end_trials_6[] = {0.60f, 0.80f};
static const float end_trials_8[] = {0.97f};

// Choices for a group: scale and index of the shift. At 5 and 6 bits there is one for each shift and end of the book, since
// how the values fall between so many levels cannot be told from free scales; else the two best, the better one first.
enum { MOST_CHOICES = 8 };

typedef struct {
  float_lanes scale[MOST_CHOICES], shift[MOST_CHOICES];
  float_lanes worth[2];   // of the best two
  float_lanes best_scale;
} group_choices;

BODY int choice_count(const ck_book *book, int bits) { return bits == 5 || bits == 6 ? 2 << book->shift_bits : 2; }

// A choice that is better than the best takes its place; the second is always of another shift or end.
BODY void keep_choice(
  group_choices *kept, int bits, int number, float_lanes scale, float shift, float_lanes worth) {
  float_lanes index = everywhere(shift);
  kept->best_scale = where(worth > kept->worth[0], scale, kept->best_scale);
  if (bits == 5 || bits == 6) {
    kept->scale[number] = scale;
    kept->shift[number] = index;
    kept->worth[0] = where(worth > kept->worth[0], worth, kept->worth[0]);
    return;
  }
  int_lanes first = worth > kept->worth[0], second = ~first & (worth > kept->worth[1]);
  kept->scale[1] = where(first, kept->scale[0], where(second, scale, kept->scale[1]));
  kept->shift[1] = where(first, kept->shift[0], where(second, index, kept->shift[1]));
  kept->worth[1] = where(first, kept->worth[0], where(second, worth, kept->worth[1]));
  kept->scale[0] = where(first, scale, kept->scale[0]);
  kept->shift[0] = where(first, index, kept->shift[0]);
  kept->worth[0] = where(first, worth, kept->worth[0]);
}

// The best scales of a group that need not be multiples of anything.
BODY void search_free_scales(
  const group_values *group, const ck_book *book, const book_tree *tree, int bits, group_choices *kept) {
  float_lanes extreme = extreme_of(group);
  memset(kept, 0, sizeof *kept);
  const float *trials = bits == 8 ? end_trials_8 : bits == 6 ? end_trials_6 : bits == 5 ? end_trials_5 : end_trials;
  int trial_count = bits == 8 ? 1 : bits == 6 ? 2 : bits == 5 ? 6 : 4;
  for (int index = 0; index < 1 << book->shift_bits; index++)
    for (int end = 0; end < 2; end++) {
      float shift = (float)book->shifts[index];
      float level = bits == 8 ? (end ? 127.0f : -128.0f) : (float)book->levels[end ? (1 << bits) - 1 : 0];
      float_lanes best_scale = {0}, best_worth = {0};
      for (int t = 0; t < trial_count; t++) {
        float_lanes scale = extreme * (1.0f / ((level + shift) * trials[t]));
        float_lanes worth = worth_of_scale(group, tree, bits, shift, &scale);
        int_lanes better = worth > best_worth;
        best_scale = where(better, scale, best_scale);
        best_worth = where(better, worth, best_worth);
      }
      keep_choice(kept, bits, index * 2 + end, best_scale, (float)index, best_worth);
    }
}

// The byte that gives the least error of those near a group's choices; the first where several are as good.
BODY void search_bytes(
  const group_values *group, const ck_book *book, const book_tree *tree, int bits, const group_choices *choices,
  float_lanes row, float_lanes *best_scale, float_lanes *best_shift, uint8_t *byte) {
  int most = 0x7F >> book->shift_bits;
  float_lanes inverse = reciprocals(row), least = {0}, best = {0};
  *best_scale = *best_shift = least;
  // Magnitudes of each choice: the nearest, and some on both sides. 0 is one of them: beside a row's largest groups the
  // smallest are better zeros than what one step gives.
  int nearby = bits == 8 ? 17 : bits == 6 ? 11 : 3;
  for (int trial = 0; trial < choice_count(book, bits) * nearby; trial++) {
    float_lanes scale = choices->scale[trial / nearby], index = choices->shift[trial / nearby], shift;
    float away = (float)(trial % nearby - nearby / 2);
    float_lanes magnitude = rounded_between(magnitude_of(scale) * inverse + away, 0.0f, (float)most);
    FOR_ROWS shift[r] = (float)book->shifts[(int)index[r]];
    float_lanes tried = where(scale < 0.0f, -magnitude, magnitude) * row;
    float_lanes error = error_of_scale(group, tree, bits, shift, tried);
    int_lanes better = trial == 0 ? (int_lanes){0} - 1 : error < least;
    least = where(better, error, least);
    *best_scale = where(better, tried, *best_scale);
    *best_shift = where(better, shift, *best_shift);
    float_lanes number = magnitude + index * (float)(most + 1) + where(scale < 0.0f, everywhere(128.0f), everywhere(0));
    best = where(better, number, best);
  }
  // A group without a value other than zero has no multiple.
  FOR_ROWS {
    int empty = choices->worth[0][r] == 0.0f || row[r] == 0.0f;
    byte[r] = empty ? 0 : (uint8_t)(int)best[r];
    (*best_scale)[r] = choose(empty, 0.0f, (*best_scale)[r]);
    (*best_shift)[r] = choose(empty, (float)book->shifts[0], (*best_shift)[r]);
  }
}

#endif

// Quantizing stripes with learned levels where columns behind take up what rounding a column has cost.
//
// Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers"; the byte of a group is the
// one whose codes, found in order, lose least.
#ifndef CKERNELS_BOOK_FEEDBACK_H
#define CKERNELS_BOOK_FEEDBACK_H

#include "book_quantization.h"

// x -= what the errors of `count` columns pass on to the columns from `first` up to `end` of a block of `size`.
BODY void pass_on(
  const float_lanes *lost, int count, const float *factors, size_t size, size_t column, size_t first, size_t end,
  float *x) {
  size_t k = first;
  for (; k + 4 <= end; k += 4) {
    const float *row = factors + k * size + column;
    float_lanes sum[4];
    for (int i = 0; i < 4; i++) sum[i] = lanes_of(x + (k + i) * TILE_ROWS);
    for (int c = 0; c < count; c++)
      for (int i = 0; i < 4; i++) sum[i] = fused(-lost[c], everywhere(row[i * size + c]), sum[i]);
    memcpy(x + k * TILE_ROWS, sum, sizeof sum);
  }
  for (; k < end; k++) {
    float_lanes sum = lanes_of(x + k * TILE_ROWS);
    for (int c = 0; c < count; c++) sum = fused(-lost[c], everywhere(factors[k * size + column + c]), sum);
    memcpy(x + k * TILE_ROWS, &sum, sizeof sum);
  }
}

BODY float_lanes larger_of(float_lanes a, float_lanes b) { return where(a > b, a, b); }

// Where the columns that share a column's errors lie: a block of a segment.
typedef struct {
  const float *factors;
  size_t start, size;
} feedback_block;

// Columns come in order, from the first of a stripe on.
BODY void enter_block(feedback_block *block, const ck_feedback *feedback, size_t column, size_t segment) {
  size_t place = column % segment;
  if (place % feedback->block != 0) return;
  block->factors = place == 0 ? feedback->factors : block->factors + block->size * block->size;
  block->start = column;
  block->size = segment - place < feedback->block ? segment - place : feedback->block;
}

// What the columns of a group, whose first is the block's `first`, pass on among themselves.
BODY void take_passed(const feedback_block *block, size_t first, int columns, float *passed) {
  for (int c = 0; c < columns; c++)
    for (int k = c + 1; k < columns; k++)
      passed[c * TILE_COLUMNS + k] = block->factors[(first + k) * block->size + first + c];
}

// One group under its scale: codes, errors by column, what they are beside the values as they were.
BODY void write_in_order(
  const book_job *job, int bits, const group_values *group, const group_values *source, int half, float_lanes shift,
  float_lanes scale, uint8_t code[TILE_LINES][LINE_BYTES], float_lanes *lost, ck_error_sums *sums) {
  int_lanes found[TILE_COLUMNS];
  float q[TILE_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
  error_in_order(group, &job->tree, bits, shift, scale, found, lost);
  for (int c = 0; c < group->columns; c++) {
    float_lanes value = level_of(&job->tree, bits, found[c]) + shift;
    memcpy(q[c], &value, sizeof value);
    int place = half * job->book->group + c;
    for (size_t r = 0; r < job->rows; r++) code[place / 4][r * 4 + place % 4] = (uint8_t)found[c][r];
  }
  add_book_errors(job, source, q, scale, sums);
}

// One group as write_group does it, with its errors by column and the size of the scale that it would have taken.
BODY float_lanes write_group_in_order(
  const book_job *job, int bits, const group_values *group, const group_values *source, int half, float_lanes row,
  uint8_t code[TILE_LINES][LINE_BYTES], uint8_t *bytes, float_lanes *lost, ck_error_sums *sums) {
  float_lanes scale, shift;
  group_choices choices;
  uint8_t byte[TILE_ROWS];
  search_free_scales(group, job->book, &job->tree, bits, &choices);
  search_bytes(group, job->book, &job->tree, bits, &choices, row, &scale, &shift, byte);
  for (size_t r = 0; r < TILE_ROWS; r++) bytes[r] = r < job->rows ? byte[r] : 0;
  write_in_order(job, bits, group, source, half, shift, scale, code, lost, sums);
  return magnitude_of(choices.best_scale);
}

// Values of the whole stripe, tile by tile.
BODY void load_book_stripe(const book_job *job, float *x) {
  for (size_t column = 0; column < job->columns; x += TILE_ROWS * TILE_COLUMNS) {
    int width = tile_width(column % job->segment, job->segment);
    load_book_tile(job, column, width, x);
    column += width;
  }
}

// The largest scale that a group of each row would take.
BODY float_lanes largest_scales(const book_job *job, int bits, const float *x) {
  float_lanes largest = {0};
  for (size_t column = 0; column < job->columns; x += TILE_ROWS * TILE_COLUMNS) {
    int width = tile_width(column % job->segment, job->segment);
    for (int half = 0; half < book_halves(job->book); half++) {
      group_values group = group_of_tile(job, x, column, width, half);
      group_choices choices;
      search_free_scales(&group, job->book, &job->tree, bits, &choices);
      largest = larger_of(magnitude_of(choices.best_scale), largest);
    }
    column += width;
  }
  return largest;
}

// Rounds a stripe under given scales of its rows. The largest scale that a group of each row would have taken.
BODY float_lanes feed_back_under(
  const book_job *job, int bits, const ck_feedback *feedback, float_lanes row, float *x, uint8_t *codes,
  uint8_t *scales, ck_error_sums *sums) {
  feedback_block block = {0};
  float_lanes largest = {0};
  for (size_t column = 0; column < job->columns;) {
    enter_block(&block, feedback, column, job->segment);
    int width = tile_width(column % job->segment, job->segment);
    uint8_t code[TILE_LINES][LINE_BYTES] = {{0}};
    float source[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    load_book_tile(job, column, width, source);
    for (int half = 0; half < book_halves(job->book); half++, scales += TILE_ROWS) {
      group_values group = group_of_tile(job, x, column, width, half);
      group_values exact = group_of_tile(job, source, column, width, half);
      float passed[TILE_COLUMNS * TILE_COLUMNS];
      size_t first = column - block.start + (size_t)(half * job->book->group);
      take_passed(&block, first, group.columns, passed);
      group.passed = passed;
      float_lanes lost[TILE_COLUMNS];
      largest = larger_of(
        write_group_in_order(job, bits, &group, &exact, half, row, code, scales, lost, sums), largest);
      // Blocks begin with a tile, so that a block's columns lie next to each other.
      if (group.columns > 0)
        pass_on(
          lost, group.columns, block.factors, block.size, first, first + group.columns, block.size,
          x - (column - block.start) * TILE_ROWS);
    }
    write_slices(code, bits, codes);
    codes += tile_bytes(bits);
    x += TILE_ROWS * TILE_COLUMNS;
    column += width;
  }
  return largest;
}

// Columns that make up for others grow: rows in which a group would take more than its row's scale allows are begun anew with a
// larger one. The first has room for what most need, and a little more than there is room for does no harm.
#define FEEDBACK_ROOM 1.06f
#define FEEDBACK_EXCESS 1.1f
enum { FEEDBACK_ATTEMPTS = 6 };

BODY void feed_back_book_tiles(
  book_job *job, int bits, const ck_feedback *feedback, float *x, uint8_t *codes, uint8_t *scales,
  uint16_t *row_scales, ck_error_sums *sums) {
  fill_tree(job->book, bits, &job->tree);
  normalize_rows(job);
  load_book_stripe(job, x);
  float_lanes largest = largest_scales(job, bits, x) * FEEDBACK_ROOM;
  ck_error_sums found;
  for (int attempt = 1; ; attempt++) {
    found = *sums;
    float_lanes row = row_scales_of(job, largest, row_scales);
    float_lanes wanted = feed_back_under(job, bits, feedback, row, x, codes, scales, &found);
    float_lanes limit = largest * FEEDBACK_EXCESS;
    int_lanes beyond = wanted > limit;
    int is_beyond = 0;
    for (size_t r = 0; r < job->rows; r++) is_beyond |= beyond[r] != 0;
    if (!is_beyond || attempt == FEEDBACK_ATTEMPTS) break;
    // Where errors have piled up, they ask for more than the next attempt will need.
    largest = where(beyond, where(wanted < largest * 1.5f, wanted, largest * 1.5f), largest);
    load_book_stripe(job, x);
  }
  *sums = found;
}

static void feed_back_book_stripe(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, size_t segment, const ck_book *book,
  const float *importance, const ck_feedback *feedback, float *work, uint8_t *codes, uint8_t *scales,
  uint16_t *row_scales, ck_error_sums *sums) {
  book_job job = {
    .values = values, .dtype = dtype, .row_stride = row_stride, .rows = rows, .columns = columns, .segment = segment,
    .book = book, .importance = importance};
#define FEED_BACK(BITS) feed_back_book_tiles(&job, BITS, feedback, work, codes, scales, row_scales, sums); break
  FOR_BOOK_WIDTHS(book, FEED_BACK)
#undef FEED_BACK
}

#endif

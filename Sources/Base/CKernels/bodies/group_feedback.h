// Quantizing stripes in groups of 32 columns by what data says of the columns. Codes are those of a book whose levels are all integers of
// the width; scales stand for themselves, so that each group takes the one that suits what is left for it.
#include "book_feedback.h"

static const ck_book integer_book_8 = {.bits = 8, .group = TILE_COLUMNS};
static const ck_book integer_book_4 = {
  .bits = 4, .group = TILE_COLUMNS, .levels = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}};

// The scales as they are stored, among values that are multiplied.
BODY float_lanes stored_scales(const book_job *job, float_lanes scale) {
  FOR_ROWS scale[r] = stored_scale(scale[r] * job->from_normal[r]) * job->to_normal[r];
  return scale;
}

// The scale of each row, of the trials that search_scales makes.
BODY float_lanes search_guided_scales(const book_job *job, int bits, const group_values *group) {
  const float *trials = bits == 8 ? trials_int8 : trials_int4;
  int trial_count = bits == 8 ? sizeof trials_int8 / sizeof *trials_int8 : sizeof trials_int4 / sizeof *trials_int4;
  float low = -(float)code_offset(bits);
  float_lanes extreme = extreme_of(group), best = {0}, least = {0};
  // The plain scale stands even where its error overflows; the last trial is the best of the others, refitted.
  for (int t = -1; t <= trial_count; t++) {
    float_lanes scale = t == trial_count ? best : extreme * (1.0f / (t < 0 ? low : low * trials[t]));
    if (t == trial_count || (t >= 0 && bits == 4)) worth_of_scale(group, &job->tree, bits, 0, &scale);
    scale = stored_scales(job, scale);
    float_lanes error = error_of_scale(group, &job->tree, bits, (float_lanes){0}, scale);
    int_lanes better = t < 0 ? (int_lanes){0} - 1 : error < least;
    best = where(better, scale, best);
    least = where(better, error, least);
  }
  return best;
}

BODY void feed_back_tiles(
  book_job *job, int bits, const ck_feedback *feedback, float *x, uint8_t *codes, uint16_t *scales,
  ck_error_sums *sums) {
  feedback_block block = {0};
  fill_tree(job->book, bits, &job->tree);
  normalize_rows(job);
  load_book_stripe(job, x);
  for (size_t column = 0; column < job->columns; scales += TILE_ROWS, codes += tile_bytes(bits)) {
    int width = tile_width(column % job->segment, job->segment);
    uint8_t code[TILE_LINES][LINE_BYTES] = {{0}};
    float source[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    float passed[TILE_COLUMNS * TILE_COLUMNS];
    float_lanes lost[TILE_COLUMNS];
    load_book_tile(job, column, width, source);
    group_values group = group_of_tile(job, x, column, width, 0), exact = group_of_tile(job, source, column, width, 0);
    if (feedback) {
      enter_block(&block, feedback, column, job->segment);
      take_passed(&block, column - block.start, width, passed);
      group.passed = passed;
    }
    float_lanes scale = search_guided_scales(job, bits, &group);
    FOR_ROWS scales[r] = r < (int)job->rows ? narrow_f16(bits_of_float(scale[r] * job->from_normal[r])) : 0;
    write_in_order(job, bits, &group, &exact, 0, (float_lanes){0}, scale, code, lost, sums);
    if (feedback) {
      size_t first = column - block.start;
      pass_on(lost, width, block.factors, block.size, first, first + width, block.size, x - first * TILE_ROWS);
    }
    write_slices(code, bits, codes);
    x += TILE_ROWS * TILE_COLUMNS;
    column += width;
  }
}

static void feed_back_stripe(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, size_t segment, int bits,
  const float *importance, const ck_feedback *feedback, float *work, uint8_t *codes, uint16_t *scales,
  ck_error_sums *sums) {
  book_job job = {
    .values = values, .dtype = dtype, .row_stride = row_stride, .rows = rows, .columns = columns, .segment = segment,
    .book = bits == 8 ? &integer_book_8 : &integer_book_4, .importance = importance};
  if (bits == 8) feed_back_tiles(&job, 8, feedback, work, codes, scales, sums);
  else feed_back_tiles(&job, 4, feedback, work, codes, scales, sums);
}

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

// Keeps scales under which a group loses less than under the best so far. Where errors grow until they are no numbers, a scale that is
// none would lose nothing.
BODY void keep_better_scales(
  const book_job *job, int bits, const group_values *group, float_lanes scale, float_lanes *best, float_lanes *least) {
  scale = stored_scales(job, scale);
  float_lanes error = error_of_scale(group, &job->tree, bits, (float_lanes){0}, scale);
  int_lanes better = (error < *least) & (scale == scale);
  *best = where(better, scale, *best);
  *least = where(better, error, *least);
}

// The scale of each row, of the trials that search_scales makes.
BODY float_lanes search_guided_scales(const book_job *job, int bits, const group_values *group) {
  int trial_count;
  const float *trials = scale_trials(bits, &trial_count);
  float low = -(float)code_offset(bits);
  float_lanes extreme = extreme_of(group), plain = extreme * (1.0f / low);
  // The plain scale stands even where its error overflows.
  float_lanes best = stored_scales(job, plain);
  float_lanes least = error_of_scale(group, &job->tree, bits, (float_lanes){0}, best);
  for (int t = 0; t < trial_count; t++) {
    float_lanes scale = extreme * (1.0f / (low * trials[t]));
    if (bits == 4) worth_of_scale(group, &job->tree, bits, 0, &scale);
    keep_better_scales(job, bits, group, scale, &best, &least);
  }
  float_lanes refitted = best;
  worth_of_scale(group, &job->tree, bits, 0, &refitted);
  keep_better_scales(job, bits, group, refitted, &best, &least);
  int_lanes tiny;
  int any = 0;
  FOR_ROWS {
    float size = __builtin_fabsf(plain[r] * job->from_normal[r]);
    tiny[r] = plain[r] != 0.0f && size < TINY_SCALE ? -1 : 0;
    any |= tiny[r];
  }
  for (int step = 1; any && step <= 16; step++) {
    float_lanes scale;
    FOR_ROWS scale[r] = (plain[r] < 0.0f ? -TINY_STEP : TINY_STEP) * (float)step * job->to_normal[r];
    keep_better_scales(job, bits, group, where(tiny, scale, best), &best, &least);
  }
  return best;
}

BODY void quantize_guided_tiles(
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

static void quantize_guided_stripe(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, size_t segment, int bits,
  const float *importance, const ck_feedback *feedback, float *work, uint8_t *codes, uint16_t *scales,
  ck_error_sums *sums) {
  book_job job = {
    .values = values, .dtype = dtype, .row_stride = row_stride, .rows = rows, .columns = columns, .segment = segment,
    .book = bits == 8 ? &integer_book_8 : &integer_book_4, .importance = importance};
  if (bits == 8) quantize_guided_tiles(&job, 8, feedback, work, codes, scales, sums);
  else quantize_guided_tiles(&job, 4, feedback, work, codes, scales, sums);
}

// Quantizing stripes with learned levels.
#ifndef CKERNELS_BOOK_QUANTIZATION_H
#define CKERNELS_BOOK_QUANTIZATION_H

#include "book_search.h"
#include "tile_loading.h"

// A stripe while it is quantized.
typedef struct {
  const void *values;
  int dtype;
  size_t row_stride, rows, columns, segment;
  const ck_book *book;
  const float *importance;
  book_tree tree;
  // Values are multiplied by a power of two so that none of a row's squares is too large or too small for f32.
  float to_normal[TILE_ROWS], from_normal[TILE_ROWS];
} book_job;

// Values of a tile, column by column, multiplied; zeros beyond the rows and columns.
BODY void load_book_tile(const book_job *job, size_t column, int width, float *x) {
  if (job->dtype == CK_BF16) load_tile(job->values, CK_BF16, job->row_stride, job->rows, column, width, x);
  else if (job->dtype == CK_F16) load_tile(job->values, CK_F16, job->row_stride, job->rows, column, width, x);
  else load_tile(job->values, CK_F32, job->row_stride, job->rows, column, width, x);
  for (int c = 0; c < TILE_COLUMNS; c++) FOR_ROWS x[c * TILE_ROWS + r] *= job->to_normal[r];
}

// The power of two that brings the largest magnitude of each row to 1 or a little more; 1 for a row of zeros.
BODY void normalize_rows(book_job *job) {
  float largest[TILE_ROWS];
  FOR_ROWS largest[r] = 0;
  FOR_ROWS job->to_normal[r] = 1;
  size_t column = 0;
  while (column < job->columns) {
    int width = tile_width(column % job->segment, job->segment);
    float x[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    load_book_tile(job, column, width, x);
    for (int c = 0; c < TILE_COLUMNS; c++) FOR_ROWS {
      float magnitude = __builtin_fabsf(x[c * TILE_ROWS + r]);
      largest[r] = magnitude > largest[r] ? magnitude : largest[r];
    }
    column += width;
  }
  FOR_ROWS {
    // 2^e has the bits (e + 127) << 23; a magnitude is at most 2^127 and a little more.
    uint32_t exponent = bits_of_float(largest[r]) >> 23;
    exponent = exponent < 2 ? 2 : exponent > 252 ? 252 : exponent;
    if (largest[r] == 0) exponent = 127;
    job->to_normal[r] = float_of_bits((254 - exponent) << 23);
    job->from_normal[r] = float_of_bits(exponent << 23);
  }
}

// The groups of a tile.
BODY group_values group_of_tile(const book_job *job, const float *x, size_t column, int width, int half) {
  int first = half * job->book->group, columns = width - first;
  columns = columns < 0 ? 0 : columns > job->book->group ? job->book->group : columns;
  return (group_values){
    x + first * TILE_ROWS, job->importance ? job->importance + column + first : NULL, NULL, columns};
}

// The largest magnitude of a level with its shift.
BODY float end_of_book(const ck_book *book) {
  if (book->bits == 8) return 128;
  float low = (float)(book->levels[0] + book->shifts[0]);
  float high = (float)(book->levels[(1 << book->bits) - 1] + book->shifts[(1 << book->shift_bits) - 1]);
  return -low > high ? -low : high;
}

// The scales of rows, of which the largest scale of a group is the largest multiple: rounded up, so that it is not cut; held
// where nothing that a row can say is infinite.
BODY float_lanes row_scales_of(const book_job *job, float_lanes largest, uint16_t *stored) {
  float_lanes row;
  int most = 0x7F >> job->book->shift_bits;
  uint32_t limit = bits_of_float(0x1.fffffep127f / ((float)most * end_of_book(job->book))) & 0xFFFF0000u;
  FOR_ROWS {
    float exact = largest[r] / (float)most * job->from_normal[r];
    uint32_t bits = bits_of_float(exact) + 0xFFFF;
    bits = bits > limit ? limit : bits & 0xFFFF0000u;
    stored[r] = r < (int)job->rows ? (uint16_t)(bits >> 16) : 0;
    row[r] = float_of_bits(bits) * job->to_normal[r];
  }
  return row;
}

// Codes of a tile, a byte each as int8's lie, in the slices of the width.
BODY void write_slices(const uint8_t code[TILE_LINES][LINE_BYTES], int bits, uint8_t *out) {
  memset(out, 0, tile_bytes(bits));
  int width = 0;
  if (bits == 8) {
    memcpy(out, code, TILE_LINES * LINE_BYTES);
    return;
  }
  if (bits >= 4) {
    for (int line = 0; line < TILE_LINES; line++)
      for (int i = 0; i < LINE_BYTES; i++)
        out[line / 2 * LINE_BYTES + i] |= (uint8_t)((code[line][i] & 15) << (line % 2 * 4));
    out += 4 * LINE_BYTES;
    width = 4;
  }
  if (bits & 2) {
    for (int line = 0; line < TILE_LINES; line++)
      for (int i = 0; i < LINE_BYTES; i++)
        out[line / 4 * LINE_BYTES + i] |= (uint8_t)((code[line][i] >> width & 3) << (line % 4 * 2));
    out += 2 * LINE_BYTES;
    width += 2;
  }
  if (bits & 1)
    for (int line = 0; line < TILE_LINES; line++)
      for (int i = 0; i < LINE_BYTES; i++) out[line * 8 + i / 8] |= (uint8_t)((code[line][i] >> width & 1) << i % 8);
}

BODY void add_book_errors(
  const book_job *job, const group_values *group, const float q[][TILE_ROWS], float_lanes scale, ck_error_sums *sums) {
  double source[TILE_ROWS], coded[TILE_ROWS], both[TILE_ROWS], error[TILE_ROWS];
  float largest[TILE_ROWS];
  FOR_ROWS source[r] = coded[r] = both[r] = error[r] = 0;
  FOR_ROWS largest[r] = 0;
  for (int c = 0; c < group->columns; c++) FOR_ROWS {
    double exact = group->x[c * TILE_ROWS + r], decoded = (double)(q[c][r] * scale[r]);
    exact *= job->from_normal[r];
    decoded *= job->from_normal[r];
    double difference = exact - decoded;
    float magnitude = __builtin_fabsf((float)difference);
    source[r] = __builtin_fma(exact, exact, source[r]);
    coded[r] = __builtin_fma(decoded, decoded, coded[r]);
    both[r] = __builtin_fma(exact, decoded, both[r]);
    error[r] = __builtin_fma(difference, difference, error[r]);
    largest[r] = magnitude > largest[r] ? magnitude : largest[r];
  }
  for (size_t r = 0; r < job->rows; r++) {
    sums->source_square += source[r];
    sums->coded_square += coded[r];
    sums->product += both[r];
    sums->error_square += error[r];
    sums->largest_error = largest[r] > sums->largest_error ? largest[r] : sums->largest_error;
  }
}

// One group of a tile: its byte, its codes, what they lose.
BODY void write_group(
  const book_job *job, int bits, const group_values *group, int half, const group_choices *choices, float_lanes row,
  uint8_t code[TILE_LINES][LINE_BYTES], uint8_t *bytes, ck_error_sums *sums) {
  float_lanes scale, shift;
  float q[TILE_COLUMNS][TILE_ROWS] __attribute__((aligned(64)));
  uint8_t byte[TILE_ROWS];
  search_bytes(group, job->book, &job->tree, bits, choices, row, &scale, &shift, byte);
  for (size_t r = 0; r < TILE_ROWS; r++) bytes[r] = r < job->rows ? byte[r] : 0;
  float_lanes inverse = reciprocals(scale);
  for (int c = 0; c < group->columns; c++) {
    int_lanes found = nearest_code(&job->tree, bits, lanes_of(group->x + c * TILE_ROWS) * inverse - shift);
    float_lanes value = level_of(&job->tree, bits, found) + shift;
    memcpy(q[c], &value, sizeof value);
    int place = half * job->book->group + c;
    for (size_t r = 0; r < job->rows; r++) code[place / 4][r * 4 + place % 4] = (uint8_t)found[r];
  }
  add_book_errors(job, group, q, scale, sums);
}

BODY void quantize_book_tiles(
  book_job *job, int bits, float *work, uint8_t *codes, uint8_t *scales, uint16_t *row_scales,
  ck_error_sums *sums) {
  int halves = book_halves(job->book);
  float x[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
  fill_tree(job->book, bits, &job->tree);
  normalize_rows(job);
  float_lanes largest = {0};
  size_t number = 0;
  for (size_t column = 0; column < job->columns;) {
    int width = tile_width(column % job->segment, job->segment);
    load_book_tile(job, column, width, x);
    for (int half = 0; half < halves; half++, number++) {
      group_values group = group_of_tile(job, x, column, width, half);
      group_choices choices;
      search_free_scales(&group, job->book, &job->tree, bits, &choices);
      FOR_ROWS {
        float magnitude = __builtin_fabsf(choices.best_scale[r]);
        largest[r] = magnitude > largest[r] ? magnitude : largest[r];
      }
      memcpy(work + number * sizeof choices / sizeof *work, &choices, sizeof choices);
    }
    column += width;
  }
  float_lanes row = row_scales_of(job, largest, row_scales);
  number = 0;
  for (size_t column = 0; column < job->columns;) {
    int width = tile_width(column % job->segment, job->segment);
    uint8_t code[TILE_LINES][LINE_BYTES] = {{0}};
    load_book_tile(job, column, width, x);
    for (int half = 0; half < halves; half++, number++, scales += TILE_ROWS) {
      group_values group = group_of_tile(job, x, column, width, half);
      group_choices choices;
      memcpy(&choices, work + number * sizeof choices / sizeof *work, sizeof choices);
      write_group(job, bits, &group, half, &choices, row, code, scales, sums);
    }
    write_slices(code, bits, codes);
    codes += tile_bytes(bits);
    column += width;
  }
}

// `bits` is a constant in each call, so that every width is compiled on its own.
static void quantize_book_stripe(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, size_t segment, const ck_book *book,
  const float *importance, float *work, uint8_t *codes, uint8_t *scales, uint16_t *row_scales, ck_error_sums *sums) {
  book_job job = {
    .values = values, .dtype = dtype, .row_stride = row_stride, .rows = rows, .columns = columns, .segment = segment,
    .book = book, .importance = importance};
#define QUANTIZE(BITS) quantize_book_tiles(&job, BITS, work, codes, scales, row_scales, sums); break
  FOR_BOOK_WIDTHS(book, QUANTIZE)
#undef QUANTIZE
}

#endif

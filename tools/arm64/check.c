// Holds every table of functions of the machine that it runs on against plain C, bit for bit, on random operands of odd
// sizes. The argument names the table that has to be the last.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckernels.h"

static uint64_t state = 88172645463325252u;
static uint32_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16);
}

static size_t up_to(size_t most) { return 1 + next() % most; }

static int comparisons, differences;
static void compare(const char *name, const void *expected, const void *found, size_t byte_count) {
  comparisons++;
  if (memcmp(expected, found, byte_count) == 0) return;
  differences++;
  printf("%s differs\n", name);
}

static void *filled(size_t byte_count) {
  uint8_t *bytes = malloc(byte_count + 64);
  for (size_t i = 0; i < byte_count; i++) bytes[i] = (uint8_t)next();
  return bytes;
}

static float *floats(size_t count) {
  float *values = malloc(count * sizeof(float) + 64);
  for (size_t i = 0; i < count; i++) values[i] = (float)(next() % 2001) / 1000 - 1;
  return values;
}

#define FREE_ALL(MEMORY) \
  for (size_t i = 0; i < sizeof(MEMORY) / sizeof *(MEMORY); i++) free((MEMORY)[i])

// Activations as quantize_activations gives them, without -128, and their sums.
static void sum_groups(int8_t *activations, size_t groups, int32_t *sums, int32_t *half_sums) {
  for (size_t g = 0; g < groups; g++) {
    sums[g] = 0;
    for (int i = 0; i < 32; i++) {
      int8_t *a = &activations[g * 32 + i];
      if (*a == -128) *a = 127;
      if (i == 16) half_sums[g] = sums[g];
      sums[g] += *a;
    }
  }
}

// Products, rows and panels of codes.
static void groups(const ck_table *plain, const ck_table *table, int bits, size_t rows) {
  size_t outputs = up_to(70), run_groups = up_to(3), runs = up_to(4), stride = up_to(5), offsets[4];
  size_t all = run_groups * runs, tiles = (outputs + 15) / 16, furthest = 0;
  for (size_t i = 0; i < runs; i++) {
    offsets[i] = next() % 7;
    if (offsets[i] > furthest) furthest = offsets[i];
  }
  size_t held = (rows - 1) * stride + furthest + run_groups;
  uint8_t *codes = filled(tiles * all * 64 * bits);
  uint16_t *scales = malloc(tiles * all * 32);
  for (size_t i = 0; i < tiles * all * 16; i++) scales[i] = (uint16_t)(0x1000 + next() % 0x3000);
  int8_t *activations = filled(held * 32);
  if (next() % 8 == 0) {  // the largest sums there are
    memset(codes, next() % 2 ? 255 : 0, tiles * all * 64 * bits);
    memset(activations, next() % 2 ? 127 : -127, held * 32);
  }
  float *activation_scales = floats(held);
  int32_t *sums = malloc(held * sizeof(int32_t)), *half_sums = malloc(held * sizeof(int32_t));
  sum_groups(activations, held, sums, half_sums);
  size_t output_stride = outputs + next() % 3, count = rows * output_stride;
  float *expected = calloc(count, sizeof(float)), *found = calloc(count, sizeof(float));
  ck_matmul product = {
    .codes = codes, .scales = scales, .activations = activations, .activation_scales = activation_scales,
    .activation_sums = sums, .activation_half_sums = half_sums, .output = expected, .row_count = rows,
    .row_stride = stride, .run_count = runs, .run_groups = run_groups, .run_offsets = offsets, .output_count = outputs,
    .output_stride = output_stride, .bits = bits};
  plain->matmul_tiles(&product, 0, tiles);
  product.output = found;
  size_t cut = next() % (tiles + 1);
  table->matmul_tiles(&product, 0, cut);
  table->matmul_tiles(&product, cut, tiles);
  compare("matmul_tiles", expected, found, count * sizeof(float));

  size_t columns = all * 32 - next() % 31;
  float *x = floats(columns + rows), *one = floats(outputs), *other = malloc(outputs * sizeof(float));
  memcpy(other, one, outputs * sizeof(float));
  plain->multiply_row(codes, scales, bits, x, columns, one, outputs);
  table->multiply_row(codes, scales, bits, x, columns, other, outputs);
  compare("multiply_row", one, other, outputs * sizeof(float));

  size_t panel_count = columns * CK_PANEL_COLUMNS;
  float *panel = calloc(panel_count, sizeof(float)), *second = calloc(panel_count, sizeof(float));
  plain->decode_panel(codes, scales, columns, bits, panel);
  table->decode_panel(codes, scales, columns, bits, second);
  compare("decode_panel", panel, second, panel_count * sizeof(float));

  size_t depth = columns > 12 ? columns - 12 : 1, width = up_to(CK_PANEL_COLUMNS);
  float *c = floats(rows * width), *d = malloc(rows * width * sizeof(float));
  memcpy(d, c, rows * width * sizeof(float));
  plain->panel_product(x, 1, rows, panel, depth, c, width, width, 1);
  table->panel_product(x, 1, rows, panel, depth, d, width, width, 1);
  compare("panel_product", c, d, rows * width * sizeof(float));

  size_t taken = (columns + 31) / 32;
  int8_t *first_codes = malloc(taken * 32), *second_codes = malloc(taken * 32);
  float *first_scales = malloc(taken * 4), *second_scales = malloc(taken * 4);
  int32_t *first_sums = malloc(taken * 4), *second_sums = malloc(taken * 4);
  int32_t *first_halves = malloc(taken * 4), *second_halves = malloc(taken * 4);
  plain->quantize_activations(x, 1, columns, first_codes, first_scales, first_sums, first_halves);
  table->quantize_activations(x, 1, columns, second_codes, second_scales, second_sums, second_halves);
  compare("quantize_activations", first_codes, second_codes, taken * 32);
  compare("quantize_activations, scales", first_scales, second_scales, taken * 4);
  compare("quantize_activations, sums", first_sums, second_sums, taken * 4);
  compare("quantize_activations, half sums", first_halves, second_halves, taken * 4);
  void *taken_memory[] = {codes, scales, activations, activation_scales, sums, half_sums, expected, found, x, one,
                          other, panel, second, c, d, first_codes, second_codes, first_scales, second_scales,
                          first_sums, second_sums, first_halves, second_halves};
  FREE_ALL(taken_memory);
}

// Keys and values as weights of a product, and a softmax in 8 bits.
static void attention(const ck_table *plain, const ck_table *table, size_t rows) {
  size_t columns = up_to(100), stride = columns + next() % 3, few = rows < 16 ? rows : 16, narrow = columns < 16 ? columns : 16;
  float *x = floats(rows * stride);
  size_t tiles = (columns + 31) / 32 > (rows + 31) / 32 ? (columns + 31) / 32 : (rows + 31) / 32;
  uint8_t *codes = calloc(tiles, 512), *others = calloc(tiles, 512);
  uint16_t *scales = calloc(tiles, 32), *other_scales = calloc(tiles, 32);
  plain->round_rows(x, stride, few, columns, codes, scales);
  table->round_rows(x, stride, few, columns, others, other_scales);
  compare("round_rows", codes, others, tiles * 512);
  compare("round_rows, scales", scales, other_scales, tiles * 32);
  plain->round_columns(x, stride, rows, narrow, codes, scales);
  table->round_columns(x, stride, rows, narrow, others, other_scales);
  compare("round_columns", codes, others, tiles * 512);
  compare("round_columns, scales", scales, other_scales, tiles * 32);

  size_t groups = rows * ((columns + 31) / 32), outputs = up_to(40);
  // For each: maxima, sums, scales of groups, output.
  float *first = floats(2 * rows + groups + rows * outputs), *second = malloc((2 * rows + groups + rows * outputs) * 4);
  memcpy(second, first, (2 * rows + groups + rows * outputs) * 4);
  int8_t *powers = calloc(groups, 32), *other_powers = calloc(groups, 32);
  int32_t *sums = calloc(groups, 4), *other_sums = calloc(groups, 4);
  plain->softmax_codes(x, stride, rows, columns, 3, first, first + rows, first + 2 * rows + groups, outputs, outputs,
                       powers, first + 2 * rows, sums);
  table->softmax_codes(x, stride, rows, columns, 3, second, second + rows, second + 2 * rows + groups, outputs, outputs,
                       other_powers, second + 2 * rows, other_sums);
  compare("softmax_codes", powers, other_powers, groups * 32);
  compare("softmax_codes, code sums", sums, other_sums, groups * 4);
  compare("softmax_codes, sums", first, second, (2 * rows + groups + rows * outputs) * 4);
  void *memory[] = {x, codes, others, scales, other_scales, first, second, powers, other_powers, sums, other_sums};
  FREE_ALL(memory);
}

static int by_size(const void *a, const void *b) { return *(const int8_t *)a - *(const int8_t *)b; }

// Learned levels on both sides of zero, from -100 to 100, and shifts of at most 20; 8 bits have neither.
static ck_book random_book(int bits, int group) {
  ck_book book = {.bits = bits, .group = group};
  if (bits == 8) return book;
  int count = 1 << bits;
  for (int i = 0; i < count; i++) book.levels[i] = (int8_t)(next() % 201 - 100);
  book.levels[0] = -60, book.levels[1] = 60;
  qsort(book.levels, count, 1, by_size);
  book.shift_bits = next() % 3;
  for (int i = 0; i < 1 << book.shift_bits; i++) book.shifts[i] = (int8_t)(next() % 41 - 20);
  qsort(book.shifts, 1 << book.shift_bits, 1, by_size);
  return book;
}

// Products, rows and panels of codes with learned levels, of any bytes.
static void books(const ck_table *plain, const ck_table *table, int bits, int group, size_t rows) {
  ck_book book = random_book(bits, group);
  size_t outputs = up_to(70), run_groups = up_to(12), runs = up_to(4), stride = up_to(5), offsets[4];
  size_t all = run_groups * runs, tiles = (outputs + 15) / 16, furthest = 0;
  for (size_t i = 0; i < runs; i++) {
    offsets[i] = next() % 7;
    if (offsets[i] > furthest) furthest = offsets[i];
  }
  size_t held = (rows - 1) * stride + furthest + run_groups;
  uint8_t *codes = filled(tiles * all * 64 * bits), *bytes = filled(tiles * all * (512 / group));
  uint16_t *row_scales = malloc(tiles * 32);
  for (size_t i = 0; i < tiles * 16; i++) row_scales[i] = (uint16_t)(0x3800 + next() % 0x0800);
  int8_t *activations = filled(held * 32);
  if (next() % 8 == 0) {  // the largest sums there are
    memset(codes, next() % 2 ? 255 : 0, tiles * all * 64 * bits);
    memset(activations, next() % 2 ? 127 : -127, held * 32);
  }
  float *activation_scales = floats(held);
  int32_t *sums = malloc(held * sizeof(int32_t)), *half_sums = malloc(held * sizeof(int32_t));
  sum_groups(activations, held, sums, half_sums);
  // What lies behind the last output is not to be written.
  size_t output_stride = outputs + next() % 3, count = rows * output_stride + 16;
  float *expected = calloc(count, sizeof(float)), *found = calloc(count, sizeof(float));
  ck_matmul product = {
    .codes = codes, .activations = activations, .activation_scales = activation_scales, .activation_sums = sums,
    .activation_half_sums = half_sums, .output = expected, .row_count = rows, .row_stride = stride, .run_count = runs,
    .run_groups = run_groups, .run_offsets = offsets, .output_count = outputs, .output_stride = output_stride,
    .bits = bits, .book = &book, .byte_scales = bytes, .row_scales = row_scales};
  plain->book_tiles(&product, 0, tiles);
  product.output = found;
  size_t cut = next() % (tiles + 1);
  table->book_tiles(&product, 0, cut);
  table->book_tiles(&product, cut, tiles);
  compare("book_tiles", expected, found, count * sizeof(float));

  ck_book_stripe stripe = {codes, bytes, row_scales};
  size_t columns = all * 32 - next() % 31;
  float *x = floats(columns), *one = floats(outputs + 16), *other = malloc((outputs + 16) * sizeof(float));
  memcpy(other, one, (outputs + 16) * sizeof(float));
  plain->multiply_book_row(&stripe, &book, x, columns, one, outputs);
  table->multiply_book_row(&stripe, &book, x, columns, other, outputs);
  compare("multiply_book_row", one, other, (outputs + 16) * sizeof(float));

  size_t taken = outputs < 16 ? outputs : 16, row_stride = columns + next() % 3, value_count = 16 * row_stride;
  float *values = calloc(value_count, sizeof(float)), *others = calloc(value_count, sizeof(float));
  plain->decode_book_stripe(&stripe, &book, taken, columns, values, row_stride);
  table->decode_book_stripe(&stripe, &book, taken, columns, others, row_stride);
  compare("decode_book_stripe", values, others, value_count * sizeof(float));

  size_t panel_count = columns * CK_PANEL_COLUMNS;
  float *panel = calloc(panel_count, sizeof(float)), *second = calloc(panel_count, sizeof(float));
  plain->decode_book_panel(&stripe, &book, columns, panel);
  table->decode_book_panel(&stripe, &book, columns, second);
  compare("decode_book_panel", panel, second, panel_count * sizeof(float));
  void *taken_memory[] = {codes, bytes, row_scales, activations, activation_scales, sums, half_sums, expected, found, x,
                          one, other, values, others, panel, second};
  FREE_ALL(taken_memory);
}

// Sums of four values make a bell; some rows are much smaller than others, some groups and rows are zeros.
static float *weights(size_t rows, size_t columns) {
  float *values = floats(rows * columns);
  for (size_t r = 0; r < rows; r++) {
    float scale = next() % 9 == 0 ? 0 : 1.0f / (1 << next() % 20);
    for (size_t c = 0; c < columns; c++) {
      float *value = &values[r * columns + c];
      for (int i = 0; i < 3; i++) *value += (float)(next() % 2001) / 1000 - 1;
      *value *= scale;
    }
    if (next() % 4 == 0) memset(values + r * columns, 0, (columns < 32 ? columns : 32) * sizeof(float));
  }
  return values;
}

static void quantized_books(const ck_table *plain, const ck_table *table, int bits, int group, int dtype) {
  ck_book book = random_book(bits, group);
  size_t segments = up_to(3), segment = up_to(90), columns = segments * segment, rows = up_to(16);
  size_t tiles = segments * ((segment + 31) / 32), row_stride = columns + next() % 3;
  float *values = weights(rows, row_stride), *importance = floats(columns);
  for (size_t c = 0; c < columns; c++) importance[c] = importance[c] * importance[c] + 0.01f;
  uint16_t *narrow = malloc(rows * row_stride * 2);
  if (dtype == CK_BF16) plain->narrow_f32_bf16(narrow, values, rows * row_stride);
  else plain->narrow_f32_f16(narrow, values, rows * row_stride);
  const void *source = dtype == CK_F32 ? (const void *)values : narrow;
  float *work = malloc(tiles * (32 / group) * CK_BOOK_WORK * sizeof(float));
  uint8_t *codes[2], *bytes[2];
  uint16_t row_scales[2][16];
  ck_error_sums sums[2] = {{0}};
  int is_weighted = next() % 2;
  for (int i = 0; i < 2; i++) {
    codes[i] = filled(tiles * 64 * bits);
    bytes[i] = filled(tiles * (512 / group));
    (i ? table : plain)->quantize_book_stripe(
      source, dtype, row_stride, rows, columns, segment, &book, is_weighted ? importance : NULL, work, codes[i],
      bytes[i], row_scales[i], &sums[i]);
  }
  compare("quantize_book_stripe", codes[0], codes[1], tiles * 64 * bits);
  compare("quantize_book_stripe, bytes", bytes[0], bytes[1], tiles * (512 / group));
  compare("quantize_book_stripe, row scales", row_scales[0], row_scales[1], sizeof row_scales[0]);
  compare("quantize_book_stripe, sums", &sums[0], &sums[1], sizeof sums[0]);
  void *taken_memory[] = {values, importance, narrow, work, codes[0], codes[1], bytes[0], bytes[1]};
  FREE_ALL(taken_memory);
}

// What data guides: columns behind take up errors, in books and in groups with scales of their own; those without feedback, too.
static void guided(const ck_table *plain, const ck_table *table, int bits, int group) {
  ck_book book = random_book(bits, group);
  int is_integer = bits == 8 || bits == 4;
  size_t segments = up_to(2), segment = up_to(90), columns = segments * segment, rows = up_to(16), block = 32 * up_to(2);
  size_t tiles = segments * ((segment + 31) / 32), factor_count = 0;
  for (size_t first = 0; first < segment; first += block) {
    size_t size = segment - first < block ? segment - first : block;
    factor_count += size * size;
  }
  float *values = weights(rows, columns), *importance = floats(columns), *factors = floats(factor_count);
  for (size_t c = 0; c < columns; c++) importance[c] = importance[c] * importance[c] + 0.01f;
  for (size_t i = 0; i < factor_count; i++) factors[i] *= 0.2f;
  ck_feedback feedback = {factors, block};
  const ck_feedback *wanted = next() % 2 ? &feedback : NULL;
  float *work = malloc(tiles * 512 * sizeof(float));
  uint8_t *codes[2], *bytes[2], *integers[2];
  uint16_t row_scales[2][16], *scales[2];
  ck_error_sums sums[2] = {{0}}, integer_sums[2] = {{0}};
  for (int i = 0; i < 2; i++) {
    const ck_table *used = i ? table : plain;
    codes[i] = filled(tiles * 64 * bits);
    bytes[i] = filled(tiles * (512 / group));
    integers[i] = filled(tiles * 64 * bits);
    scales[i] = filled(tiles * 32);
    used->feed_back_book_stripe(
      values, CK_F32, columns, rows, columns, segment, &book, importance, &feedback, work, codes[i], bytes[i],
      row_scales[i], &sums[i]);
    if (is_integer)
      used->quantize_guided_stripe(
        values, CK_F32, columns, rows, columns, segment, bits, importance, wanted, work, integers[i], scales[i],
        &integer_sums[i]);
  }
  compare("feed_back_book_stripe", codes[0], codes[1], tiles * 64 * bits);
  compare("feed_back_book_stripe, bytes", bytes[0], bytes[1], tiles * (512 / group));
  compare("feed_back_book_stripe, row scales", row_scales[0], row_scales[1], sizeof row_scales[0]);
  compare("feed_back_book_stripe, sums", &sums[0], &sums[1], sizeof sums[0]);
  if (is_integer) {
    compare("quantize_guided_stripe", integers[0], integers[1], tiles * 64 * bits);
    compare("quantize_guided_stripe, scales", scales[0], scales[1], tiles * 32);
    compare("quantize_guided_stripe, sums", &integer_sums[0], &integer_sums[1], sizeof integer_sums[0]);
  }
  void *taken_memory[] = {values,   importance, factors,     work,        codes[0],  codes[1],
                          bytes[0], bytes[1],   integers[0], integers[1], scales[0], scales[1]};
  FREE_ALL(taken_memory);
}

// Peaks add up as many products as they say.
static void peaks(const ck_table *table) {
  float sum = 0;
  float expected = -1.5f * (float)table->repeat_fma(100, 3, -0.5f, &sum);
  compare("repeat_fma", &expected, &sum, sizeof sum);
  int64_t dots = 0;
  int64_t all = -1905 * (int64_t)table->repeat_dots(100, 15, -127, &dots);
  compare("repeat_dots", &all, &dots, sizeof dots);
}

int main(int argument_count, char **arguments) {
  const ck_table *plain = ck_table_at(0);
  for (size_t level = 1; level < ck_table_count(); level++) {
    const ck_table *table = ck_table_at(level);
    for (int trial = 0; trial < 400; trial++) groups(plain, table, trial % 2 ? 8 : 4, 1 + trial / 2 % 20);
    for (int trial = 0; trial < 200; trial++) attention(plain, table, 1 + trial % 70);
    static const int widths[] = {3, 4, 5, 6, 8}, dtypes[] = {CK_F32, CK_F16, CK_BF16};
    for (int trial = 0; trial < 8 * 13 * 4; trial++)
      books(plain, table, widths[trial % 5], trial / 5 % 2 ? 32 : 16, 1 + trial / 10 % 13);
    for (int trial = 0; trial < 8 * 3 * 3; trial++)
      quantized_books(plain, table, widths[trial % 5], trial / 5 % 2 ? 32 : 16, dtypes[trial / 10 % 3]);
    for (int trial = 0; trial < 8 * 5; trial++) guided(plain, table, widths[trial % 5], trial / 5 % 2 ? 32 : 16);
    peaks(table);
    uint8_t *bytes = filled(100000);
    uint32_t expected = plain->crc32c(0, bytes, 99999), found = table->crc32c(0, bytes, 99999);
    compare("crc32c", &expected, &found, sizeof found);
    free(bytes);
    printf("%s: %d comparisons, %d differ\n", table->name, comparisons, differences);
  }
  const char *last = ck_table_at(ck_table_count() - 1)->name;
  if (argument_count != 2 || strcmp(last, arguments[1]) != 0) {
    printf("the last table is %s\n", last);
    return 1;
  }
  return differences != 0;
}

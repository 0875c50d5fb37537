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
  int32_t *sums = malloc(held * sizeof(int32_t));
  for (size_t g = 0; g < held; g++) {
    sums[g] = 0;
    for (int i = 0; i < 32; i++) {
      if (activations[g * 32 + i] == -128) activations[g * 32 + i] = 127;
      sums[g] += activations[g * 32 + i];
    }
  }
  size_t output_stride = outputs + next() % 3, count = rows * output_stride;
  float *expected = calloc(count, sizeof(float)), *found = calloc(count, sizeof(float));
  ck_matmul product = {
    codes, scales, activations, activation_scales, sums, expected, rows, stride, runs, run_groups, offsets, outputs,
    output_stride, bits};
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
  plain->panel_product(x, 1, rows, panel, depth, c, width, width);
  table->panel_product(x, 1, rows, panel, depth, d, width, width);
  compare("panel_product", c, d, rows * width * sizeof(float));

  size_t taken = (columns + 31) / 32;
  int8_t *first_codes = malloc(taken * 32), *second_codes = malloc(taken * 32);
  float *first_scales = malloc(taken * 4), *second_scales = malloc(taken * 4);
  int32_t *first_sums = malloc(taken * 4), *second_sums = malloc(taken * 4);
  plain->quantize_activations(x, 1, columns, first_codes, first_scales, first_sums);
  table->quantize_activations(x, 1, columns, second_codes, second_scales, second_sums);
  compare("quantize_activations", first_codes, second_codes, taken * 32);
  compare("quantize_activations, scales", first_scales, second_scales, taken * 4);
  compare("quantize_activations, sums", first_sums, second_sums, taken * 4);
  void *taken_memory[] = {codes, scales, activations, activation_scales, sums, expected, found, x, one, other, panel, second,
                          c, d, first_codes, second_codes, first_scales, second_scales, first_sums, second_sums};
  for (size_t i = 0; i < sizeof taken_memory / sizeof *taken_memory; i++) free(taken_memory[i]);
}

int main(int argument_count, char **arguments) {
  const ck_table *plain = ck_table_at(0);
  for (size_t level = 1; level < ck_table_count(); level++) {
    const ck_table *table = ck_table_at(level);
    for (int trial = 0; trial < 400; trial++) groups(plain, table, trial % 2 ? 8 : 4, 1 + trial / 2 % 20);
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

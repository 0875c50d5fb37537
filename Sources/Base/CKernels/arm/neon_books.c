// Products of weights with learned levels with the dot instruction of ARMv8.2: both operands are signed, so levels with
// their shifts go in as they are.
//
// Many rows: some groups of a tile are unpacked to bytes, which then are multiplied with all rows. One row: tiles are
// unpacked in registers.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "unpack_neon.h"

// Four rows x half a tile: with two groups a tile, 8 vectors of sums, of products and of totals each, 4 of activations
// and 2 of levels are 30 of 32 registers.
enum { CHUNK = 16, MOST_ROWS = 4, MOST_HALVES = 2, OUTPUTS = 8, VECTORS = 2 };

// Groups of a tile, ready to be multiplied.
typedef struct {
  tile_levels levels[CHUNK];
  float multiple[CHUNK][MOST_HALVES][TILE_ROWS];
} unpacked_groups;

// Adds four columns of four outputs, whose activations are in one lane; instructions name it by a constant.
BODY int32x4_t add_columns(int32x4_t sum, int8x16_t levels, int8x16_t activations, int lane) {
  switch (lane) {
    case 0: return vdotq_laneq_s32(sum, levels, activations, 0);
    case 1: return vdotq_laneq_s32(sum, levels, activations, 1);
    case 2: return vdotq_laneq_s32(sum, levels, activations, 2);
    default: return vdotq_laneq_s32(sum, levels, activations, 3);
  }
}

BODY void unpack_groups(
  const ck_matmul *p, size_t tile, size_t group, int count, int bits, unpacked_groups *out) {
  const ck_book *book = p->book;
  book_tables tables = tables_of(book, bits);
  size_t first = tile * p->run_count * p->run_groups + group;
  for (int g = 0; g < count; g++) {
    const uint8_t *bytes = p->byte_scales + (first + g) * scale_bytes(book);
    unpack_tile(p->codes + (first + g) * tile_bytes(bits), bytes, &tables, bits, book_halves(book), &out->levels[g]);
    for (int half = 0; half < book_halves(book); half++) {
      float32x4x4_t multiple = multiples_of(book, bytes + half * TILE_ROWS);
      for (int q = 0; q < QUARTERS; q++) vst1q_f32(out->multiple[g][half] + q * 4, multiple.val[q]);
    }
  }
}

BODY float32x4_t row_scales_of(const uint16_t *stored) {
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(stored), 16));
}

// `vectors` vectors of outputs, of which `count` are there.
BODY void load_outputs(const float *out, size_t count, int vectors, float32x4_t *total) {
  float edge[TILE_ROWS] = {0};
  if (count < (size_t)vectors * 4) out = memcpy(edge, out, count * sizeof *out);
  for (int v = 0; v < vectors; v++) total[v] = vld1q_f32(out + v * 4);
}

BODY void store_outputs(float *out, size_t count, int vectors, const float32x4_t *total) {
  float edge[TILE_ROWS];
  float *to = count < (size_t)vectors * 4 ? edge : out;
  for (int v = 0; v < vectors; v++) vst1q_f32(to + v * 4, total[v]);
  if (to == edge) memcpy(out, edge, count * sizeof *out);
}

// `rows` rows times some groups of half a tile. rows and halves are constants.
BODY void block(
  const ck_matmul *p, const unpacked_groups *weights, size_t m0, size_t output, size_t group, int count, int is_last,
  int rows, int halves) {
  float32x4_t total[MOST_ROWS][VECTORS];
  size_t column = output % TILE_ROWS, left = p->output_count - output, width = left < OUTPUTS ? left : OUTPUTS;
  float *out = p->output + m0 * p->output_stride + output;
  for (int m = 0; m < rows; m++) {
    for (int v = 0; v < VECTORS; v++) total[m][v] = vdupq_n_f32(0);
    if (group > 0) load_outputs(out + m * p->output_stride, width, VECTORS, total[m]);
  }
  size_t at = place_of(p, group) + m0 * p->row_stride, left_of_run = p->run_groups - group % p->run_groups;
  for (int g = 0; g < count; g++) {
    float32x4_t products[MOST_ROWS][VECTORS];
    for (int m = 0; m < rows; m++)
      for (int v = 0; v < VECTORS; v++) products[m][v] = vdupq_n_f32(0);
    // Unrolled, these two would load so far ahead that the registers do not suffice.
    _Pragma("clang loop unroll(disable)") for (int half = 0; half < halves; half++) {
      int32x4_t sum[MOST_ROWS][VECTORS];
      for (int m = 0; m < rows; m++)
        for (int v = 0; v < VECTORS; v++) sum[m][v] = vdupq_n_s32(0);
      // Sixteen columns, a vector of activations for each row.
      _Pragma("clang loop unroll(disable)") for (int part = half; part < 2; part += halves) {
        int8x16_t activations[MOST_ROWS];
        for (int m = 0; m < rows; m++)
          activations[m] = vld1q_s8(p->activations + (at + m * p->row_stride) * TILE_COLUMNS + part * 16);
        _Pragma("unroll") for (int lane = 0; lane < 4; lane++)
          for (int v = 0; v < VECTORS; v++) {
            int8x16_t levels = vld1q_s8(weights->levels[g].line[part * 4 + lane] + column * 4 + v * QUARTER_BYTES);
            for (int m = 0; m < rows; m++) sum[m][v] = add_columns(sum[m][v], levels, activations[m], lane);
          }
      }
      for (int v = 0; v < VECTORS; v++) {
        float32x4_t multiple = vld1q_f32(weights->multiple[g][half] + column + v * 4);
        for (int m = 0; m < rows; m++) products[m][v] = vfmaq_f32(products[m][v], vcvtq_f32_s32(sum[m][v]), multiple);
      }
    }
    for (int m = 0; m < rows; m++) {
      float32x4_t scale = vdupq_n_f32(p->activation_scales[at + m * p->row_stride]);
      for (int v = 0; v < VECTORS; v++) total[m][v] = vfmaq_f32(total[m][v], products[m][v], scale);
    }
    at++;
    if (--left_of_run == 0 && g + 1 < count) {
      at = place_of(p, group + g + 1) + m0 * p->row_stride;
      left_of_run = p->run_groups;
    }
  }
  for (int m = 0; m < rows; m++) {
    if (is_last)
      for (int v = 0; v < VECTORS; v++)
        total[m][v] = vmulq_f32(total[m][v], row_scales_of(p->row_scales + output + v * 4));
    store_outputs(out + m * p->output_stride, width, VECTORS, total[m]);
  }
}

typedef void block_function(
  const ck_matmul *p, const unpacked_groups *weights, size_t m, size_t output, size_t group, int count, int is_last);

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(ROWS)                                                                                       \
  __attribute__((noinline)) static void block_##ROWS(                                                     \
    const ck_matmul *p, const unpacked_groups *weights, size_t m, size_t output, size_t group, int count, \
    int is_last) {                                                                                        \
    if (p->book->group == 32) block(p, weights, m, output, group, count, is_last, ROWS, 1);               \
    else block(p, weights, m, output, group, count, is_last, ROWS, 2);                                    \
  }
BLOCK(2)
BLOCK(3)
BLOCK(4)
#undef BLOCK

// All rows of two or more, in blocks of nearly equal height: none of them is a single row.
BODY void all_rows(const ck_matmul *p, size_t tile, int bits) {
  static block_function *const blocks[] = {block_2, block_3, block_4};
  unpacked_groups weights;
  size_t groups = p->run_count * p->run_groups, block_count = (p->row_count + MOST_ROWS - 1) / MOST_ROWS;
  size_t left = p->output_count - tile * TILE_ROWS, end = left < TILE_ROWS ? left : TILE_ROWS;
  for (size_t group = 0; group < groups; group += CHUNK) {
    int count = groups - group < CHUNK ? (int)(groups - group) : CHUNK, is_last = group + count == groups;
    unpack_groups(p, tile, group, count, bits, &weights);
    for (size_t column = 0; column < end; column += OUTPUTS)
      for (size_t b = 0; b < block_count; b++) {
        size_t first = p->row_count * b / block_count, last = p->row_count * (b + 1) / block_count;
        blocks[last - first - 2](p, &weights, first, tile * TILE_ROWS + column, group, count, is_last);
      }
  }
}

// One row times a tile. bits and halves are constants.
BODY void one_row_of_tile(const ck_matmul *p, size_t tile, int bits, int halves) {
  const ck_book *book = p->book;
  size_t groups = p->run_count * p->run_groups;
  book_tables tables = tables_of(book, bits);
  const uint8_t *codes = p->codes + tile * groups * tile_bytes(bits);
  const uint8_t *bytes = p->byte_scales + tile * groups * halves * TILE_ROWS;
  float32x4_t total[QUARTERS];
  for (int q = 0; q < QUARTERS; q++) total[q] = vdupq_n_f32(0);
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups;
         at++, codes += tile_bytes(bits), bytes += halves * TILE_ROWS) {
      float32x4_t products[QUARTERS];
      for (int q = 0; q < QUARTERS; q++) products[q] = vdupq_n_f32(0);
      for (int half = 0; half < halves; half++) {
        int8x16x4_t shift = shifts_of(book, bytes + half * TILE_ROWS);
        float32x4x4_t multiple = multiples_of(book, bytes + half * TILE_ROWS);
        int32x4_t sum[QUARTERS];
        for (int q = 0; q < QUARTERS; q++) sum[q] = vdupq_n_s32(0);
        for (int part = half; part < 2; part += halves) {
          int8x16_t activations = vld1q_s8(p->activations + at * TILE_COLUMNS + part * 16);
          _Pragma("unroll") for (int lane = 0; lane < 4; lane++)
            for (int q = 0; q < QUARTERS; q++) {
              int8x16_t levels = unpacked_quarter(codes, bits, &tables, part * 4 + lane, q);
              if (bits < 8) levels = vaddq_s8(levels, shift.val[q]);
              sum[q] = add_columns(sum[q], levels, activations, lane);
            }
        }
        for (int q = 0; q < QUARTERS; q++) products[q] = vfmaq_f32(products[q], vcvtq_f32_s32(sum[q]), multiple.val[q]);
      }
      float32x4_t scale = vdupq_n_f32(p->activation_scales[at]);
      for (int q = 0; q < QUARTERS; q++) total[q] = vfmaq_f32(total[q], products[q], scale);
    }
  }
  size_t output = tile * TILE_ROWS, left = p->output_count - output;
  for (int q = 0; q < QUARTERS; q++) total[q] = vmulq_f32(total[q], row_scales_of(p->row_scales + output + q * 4));
  store_outputs(p->output + output, left < TILE_ROWS ? left : TILE_ROWS, QUARTERS, total);
}

#define ONE_ROW(BITS)                                                                     \
  __attribute__((noinline)) static void one_row_##BITS(const ck_matmul *p, size_t tile) { \
    if (p->book->group == 32) one_row_of_tile(p, tile, BITS, 1);                          \
    else one_row_of_tile(p, tile, BITS, 2);                                               \
  }
ONE_ROW(3)
ONE_ROW(4)
ONE_ROW(5)
ONE_ROW(6)
ONE_ROW(8)
#undef ONE_ROW

static void book_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
#define TILES(BITS)                                              \
  for (size_t tile = first_tile; tile < last_tile; tile++) {     \
    if (p->row_count == 1) one_row_##BITS(p, tile);              \
    else all_rows(p, tile, BITS);                                \
  }                                                              \
  break
  FOR_BOOK_WIDTHS(p->book, TILES)
#undef TILES
}

void ck_fill_neon_books(ck_table *table) { table->book_tiles = book_tiles; }

#pragma clang attribute pop
#endif

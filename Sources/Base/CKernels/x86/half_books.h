// Products of weights with learned levels in vectors of 256 bits: half a tile, eight outputs, at a time. A unit that includes
// this has defined
//
//   enum { FLIP = ... };  // the bits of a level that are turned: 0, or 0x80 where levels are to be unsigned
//   BODY __m256i add_products(__m256i sum, __m256i levels, __m256i activations);
//
// Many rows: some groups of a tile are unpacked to bytes, which then are multiplied with all rows. One row: tiles are
// unpacked in registers, four side by side.
#include "../bodies/row_pointers.h"
#include "unpack256.h"

enum { CHUNK = 32, MOST_HALVES = 2, TILE_HALVES = 2 };

// Groups of a tile, ready to be multiplied.
typedef struct {
  tile_levels levels[CHUNK];
  float multiple[CHUNK][MOST_HALVES][TILE_ROWS];
} unpacked_groups __attribute__((aligned(64)));

// A group's sums begin with what turned bits add to all of its levels.
BODY __m256i start_of(int32_t activation_sum) { return _mm256_set1_epi32(-FLIP * activation_sum); }

// bits and halves are constants.
BODY void unpack_groups(
  const ck_matmul *p, const book_tables *tables, size_t tile, size_t group, int count, int bits, int halves,
  unpacked_groups *out) {
  size_t first = tile * p->run_count * p->run_groups + group;
  for (int g = 0; g < count; g++) {
    const uint8_t *bytes = p->byte_scales + (first + g) * halves * TILE_ROWS;
    unpack_flipped(p->codes + (first + g) * tile_bytes(bits), bytes, tables, bits, FLIP, halves, &out->levels[g]);
    for (int half = 0; half < halves; half++)
      for (int i = 0; i < TILE_HALVES; i++)
        _mm256_store_ps(
          &out->multiple[g][half][i * HALF], multiples_of(tables, bytes + half * TILE_ROWS + i * HALF));
  }
}

BODY __m256 row_scales_of(const uint16_t *stored) {
  return _mm256_castsi256_ps(
    _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)stored)), 16));
}

BODY size_t outputs_left(const ck_matmul *p, size_t output) {
  size_t left = p->output_count - output;
  return left < HALF ? left : HALF;
}

BODY void store_outputs(float *out, size_t count, __m256 total) {
  if (count == HALF) {
    _mm256_storeu_ps(out, total);
    return;
  }
  float edge[HALF];
  _mm256_storeu_ps(edge, total);
  memcpy(out, edge, count * sizeof *out);
}

BODY __m256 load_outputs(const float *out, size_t count) {
  float edge[HALF] = {0};
  if (count == HALF) return _mm256_loadu_ps(out);
  memcpy(edge, out, count * sizeof *out);
  return _mm256_loadu_ps(edge);
}

// `rows` rows times some groups of eight outputs. rows and halves are constants.
BODY void block(
  const ck_matmul *p, const unpacked_groups *weights, size_t m0, size_t output, size_t group, int count, int is_last,
  int rows, int halves) {
  __m256 total[MOST];
  size_t width = outputs_left(p, output), column = output % TILE_ROWS;
  float *out = p->output + m0 * p->output_stride + output;
  for (int m = 0; m < rows; m++)
    total[m] = group == 0 ? _mm256_setzero_ps() : load_outputs(out + m * p->output_stride, width);
  size_t at = place_of(p, group) + m0 * p->row_stride, left_of_run = p->run_groups - group % p->run_groups;
  size_t row_bytes = p->row_stride * TILE_COLUMNS;
  ROW_POINTERS(int8_t, from, p->activations + at * TILE_COLUMNS, row_bytes, rows);
  for (int g = 0; g < count; g++) {
    fetch_rows_ahead(p, at, rows);
    __m256 products[MOST];
    for (int half = 0; half < halves; half++) {
      __m256i sum[MOST];
      for (int m = 0; m < rows; m++) sum[m] = start_of(half_sum(p, at + m * p->row_stride, halves, half));
      for (int line = half * TILE_LINES / halves; line < (half + 1) * TILE_LINES / halves; line++) {
        __m256i levels = _mm256_load_si256((const __m256i *)&weights->levels[g].line[line][column * 4]);
        for (int m = 0; m < rows; m++)
          sum[m] = add_products(sum[m], levels, four_everywhere(ROW(from, row_bytes, m)));
        MOVE_ON(from, 4, rows)
      }
      __m256 multiple = _mm256_load_ps(&weights->multiple[g][half][column]);
      for (int m = 0; m < rows; m++) {
        __m256 exact = _mm256_cvtepi32_ps(sum[m]);
        products[m] = half ? _mm256_fmadd_ps(exact, multiple, products[m]) : _mm256_mul_ps(exact, multiple);
      }
    }
    for (int m = 0; m < rows; m++)
      total[m] = _mm256_fmadd_ps(
        products[m], _mm256_set1_ps(p->activation_scales[at + m * p->row_stride]), total[m]);
    at++;
    if (--left_of_run == 0 && g + 1 < count) {
      size_t next = place_of(p, group + g + 1) + m0 * p->row_stride;
      MOVE_ON(from, ((ptrdiff_t)next - (ptrdiff_t)at) * TILE_COLUMNS, rows)
      at = next;
      left_of_run = p->run_groups;
    }
  }
  __m256 row = row_scales_of(p->row_scales + output);
  for (int m = 0; m < rows; m++)
    store_outputs(out + m * p->output_stride, width, is_last ? _mm256_mul_ps(total[m], row) : total[m]);
}

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(NAME, ROWS)                                                                                 \
  __attribute__((noinline)) static void NAME(                                                             \
    const ck_matmul *p, const unpacked_groups *weights, size_t m, size_t output, size_t group, int count, \
    int is_last) {                                                                                        \
    if (p->book->group == 32) block(p, weights, m, output, group, count, is_last, ROWS, 1);               \
    else block(p, weights, m, output, group, count, is_last, ROWS, 2);                                    \
  }
BLOCK(book_rows_6, 6)
BLOCK(book_rows_4, 4)
BLOCK(book_rows_2, 2)
BLOCK(book_rows_1, 1)
#undef BLOCK

BODY void all_rows(const ck_matmul *p, size_t tile, int bits) {
  unpacked_groups weights;
  book_tables tables = tables_flipped(p->book, bits, FLIP);
  size_t groups = p->run_count * p->run_groups;
  for (size_t group = 0; group < groups; group += CHUNK) {
    int count = groups - group < CHUNK ? (int)(groups - group) : CHUNK, is_last = group + count == groups;
    if (p->book->group == 32) unpack_groups(p, &tables, tile, group, count, bits, 1, &weights);
    else unpack_groups(p, &tables, tile, group, count, bits, 2, &weights);
    for (size_t output = tile * TILE_ROWS; output < p->output_count && output < (tile + 1) * TILE_ROWS; output += HALF) {
      size_t m = 0;
      for (; p->row_count - m >= 6; m += 6) book_rows_6(p, &weights, m, output, group, count, is_last);
      for (; p->row_count - m >= 4; m += 4) book_rows_4(p, &weights, m, output, group, count, is_last);
      for (; p->row_count - m >= 2; m += 2) book_rows_2(p, &weights, m, output, group, count, is_last);
      if (m < p->row_count) book_rows_1(p, &weights, m, output, group, count, is_last);
    }
  }
}

// One row times `tiles` tiles. tiles, bits and halves are constants.
BODY void one_book_row(const ck_matmul *p, size_t t0, int tiles, int bits, int halves) {
  size_t groups = p->run_count * p->run_groups;
  book_tables tables = tables_flipped(p->book, bits, FLIP);
  __m256 total[4][TILE_HALVES];
  for (int t = 0; t < tiles; t++) total[t][0] = total[t][1] = _mm256_setzero_ps();
  const uint8_t *codes = p->codes + t0 * groups * tile_bytes(bits);
  const uint8_t *bytes = p->byte_scales + t0 * groups * halves * TILE_ROWS;
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups;
         at++, codes += tile_bytes(bits), bytes += halves * TILE_ROWS) {
      const int8_t *activations = p->activations + at * TILE_COLUMNS;
      for (int t = 0; t < tiles; t++) {
        const uint8_t *tile_codes = codes + t * groups * tile_bytes(bits);
        for (int line = 0; line < bits; line++)
          _mm_prefetch((const char *)tile_codes + 2048 + line * 64, _MM_HINT_T0);
        for (int i = 0; i < TILE_HALVES; i++) {
          __m256 products;
          for (int half = 0; half < halves; half++) {
            const uint8_t *half_bytes = bytes + (t * groups * halves + half) * TILE_ROWS + i * HALF;
            __m256 multiple = multiples_of(&tables, half_bytes);
            __m256i shift = shifts_of(&tables, half_bytes), sum = start_of(half_sum(p, at, halves, half));
            for (int line = half * TILE_LINES / halves; line < (half + 1) * TILE_LINES / halves; line++) {
              __m256i levels = unpacked_half(tile_codes, bits, FLIP, &tables, line, i);
              if (bits < 8) levels = _mm256_add_epi8(levels, shift);
              sum = add_products(sum, levels, four_everywhere(activations + line * 4));
            }
            __m256 exact = _mm256_cvtepi32_ps(sum);
            products = half ? _mm256_fmadd_ps(exact, multiple, products) : _mm256_mul_ps(exact, multiple);
          }
          total[t][i] = _mm256_fmadd_ps(products, _mm256_set1_ps(p->activation_scales[at]), total[t][i]);
        }
      }
    }
  }
  for (int t = 0; t < tiles; t++)
    for (int i = 0; i < TILE_HALVES; i++) {
      size_t output = (t0 + t) * TILE_ROWS + i * HALF;
      if (output < p->output_count)
        store_outputs(
          p->output + output, outputs_left(p, output), _mm256_mul_ps(total[t][i], row_scales_of(p->row_scales + output)));
    }
}

#include "one_book_row.h"

static void book_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
#define TILES(BITS)                                                                         \
  if (p->row_count == 1) tiles_of_one_row(p, first_tile, last_tile, one_book_row_##BITS); \
  else for (size_t tile = first_tile; tile < last_tile; tile++) all_rows(p, tile, BITS);  \
  break
  FOR_BOOK_WIDTHS(p->book, TILES)
#undef TILES
}

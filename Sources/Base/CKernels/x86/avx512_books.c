// Products of weights with learned levels with AVX-512 VNNI.
//
// Many rows: some groups of two tiles are unpacked to bytes, which then are multiplied with all rows: whatever the width of
// the codes, the inner loop is that of 8 bits. One row: tiles are unpacked in registers, four side by side.
#if defined(__x86_64__)
#include <immintrin.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma"))), apply_to = function)

#include "../bodies/row_pointers.h"
#include "unpack512.h"

enum { CHUNK = 20, MOST_TILES = 2, MOST_ROWS = 6, MOST_HALVES = 2 };

// Groups of some tiles, ready to be multiplied: levels plus 128 are the unsigned operand.
typedef struct {
  tile_levels levels[MOST_TILES][CHUNK];
  float multiple[MOST_TILES][CHUNK][MOST_HALVES][TILE_ROWS];
} unpacked_tiles __attribute__((aligned(64)));

// Four activations, in every lane.
BODY __m512i four_everywhere(const int8_t *a) {
  int32_t word;
  memcpy(&word, a, sizeof word);
  return _mm512_set1_epi32(word);
}

// A group's sums begin with the 128 that all of its levels have too much.
BODY __m512i start_of(int32_t activation_sum) { return _mm512_set1_epi32(-128 * activation_sum); }

// tiles, bits and halves are constants.
BODY void unpack_tiles(
  const ck_matmul *p, const book_tables *tables, size_t tile, int tiles, size_t group, int count, int bits, int halves,
  unpacked_tiles *out) {
  size_t groups = p->run_count * p->run_groups;
  for (int t = 0; t < tiles; t++) {
    size_t first = (tile + t) * groups + group;
    for (int g = 0; g < count; g++) {
      const uint8_t *codes = p->codes + (first + g) * tile_bytes(bits);
      for (int line = 0; line < bits; line++) _mm_prefetch((const char *)codes + 4096 + line * 64, _MM_HINT_T0);
      const uint8_t *bytes = p->byte_scales + (first + g) * halves * TILE_ROWS;
      unpack_flipped(codes, bytes, tables, bits, 0x80, halves, &out->levels[t][g]);
      for (int half = 0; half < halves; half++)
        _mm512_store_ps(out->multiple[t][g][half], multiples_of(tables, bytes + half * TILE_ROWS));
    }
  }
}

// `rows` rows times some groups of `tiles` tiles. rows, tiles and halves are constants.
BODY void block(
  const ck_matmul *p, const unpacked_tiles *weights, size_t m0, size_t t0, size_t group, int count, int is_last,
  int rows, int tiles, int halves) {
  __m512 total[MOST_ROWS][MOST_TILES];
  __mmask16 mask[MOST_TILES];
  for (int t = 0; t < tiles; t++) {
    size_t left = p->output_count - (t0 + t) * TILE_ROWS;
    mask[t] = left >= TILE_ROWS ? 0xFFFF : (__mmask16)((1u << left) - 1);
  }
  float *out = p->output + m0 * p->output_stride + t0 * TILE_ROWS;
  for (int m = 0; m < rows; m++)
    for (int t = 0; t < tiles; t++)
      total[m][t] = group == 0 ? _mm512_setzero_ps()
                               : _mm512_maskz_loadu_ps(mask[t], out + m * p->output_stride + t * TILE_ROWS);
  size_t at = place_of(p, group) + m0 * p->row_stride, left_of_run = p->run_groups - group % p->run_groups;
  size_t row_bytes = p->row_stride * TILE_COLUMNS;
  ROW_POINTERS(int8_t, from, p->activations + at * TILE_COLUMNS, row_bytes, rows);
  for (int g = 0; g < count; g++) {
    fetch_rows_ahead(p, at, rows);
    __m512 products[MOST_ROWS][MOST_TILES];
    for (int half = 0; half < halves; half++) {
      __m512i sum[MOST_ROWS][MOST_TILES];
      for (int m = 0; m < rows; m++) {
        __m512i start = start_of(half_sum(p, at + m * p->row_stride, halves, half));
        for (int t = 0; t < tiles; t++) sum[m][t] = start;
      }
      for (int line = half * TILE_LINES / halves; line < (half + 1) * TILE_LINES / halves; line++) {
        __m512i levels[MOST_TILES];
        for (int t = 0; t < tiles; t++) levels[t] = _mm512_load_si512(weights->levels[t][g].line[line]);
        for (int m = 0; m < rows; m++) {
          __m512i four = four_everywhere(ROW(from, row_bytes, m));
          for (int t = 0; t < tiles; t++) sum[m][t] = _mm512_dpbusd_epi32(sum[m][t], levels[t], four);
        }
        MOVE_ON(from, 4, rows)
      }
      for (int t = 0; t < tiles; t++) {
        __m512 multiple = _mm512_load_ps(weights->multiple[t][g][half]);
        for (int m = 0; m < rows; m++) {
          __m512 exact = _mm512_cvtepi32_ps(sum[m][t]);
          products[m][t] = half ? _mm512_fmadd_ps(exact, multiple, products[m][t]) : _mm512_mul_ps(exact, multiple);
        }
      }
    }
    for (int m = 0; m < rows; m++) {
      __m512 scale = _mm512_set1_ps(p->activation_scales[at + m * p->row_stride]);
      for (int t = 0; t < tiles; t++) total[m][t] = _mm512_fmadd_ps(products[m][t], scale, total[m][t]);
    }
    at++;
    if (--left_of_run == 0 && g + 1 < count) {
      size_t next = place_of(p, group + g + 1) + m0 * p->row_stride;
      MOVE_ON(from, ((ptrdiff_t)next - (ptrdiff_t)at) * TILE_COLUMNS, rows)
      at = next;
      left_of_run = p->run_groups;
    }
  }
  for (int t = 0; t < tiles; t++) {
    __m512 row = _mm512_castsi512_ps(_mm512_slli_epi32(
      _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p->row_scales + (t0 + t) * TILE_ROWS))), 16));
    for (int m = 0; m < rows; m++)
      _mm512_mask_storeu_ps(
        out + m * p->output_stride + t * TILE_ROWS, mask[t], is_last ? _mm512_mul_ps(total[m][t], row) : total[m][t]);
  }
}

typedef void block_function(
  const ck_matmul *p, const unpacked_tiles *weights, size_t m, size_t tile, size_t group, int count, int is_last);

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(ROWS, TILES)                                                                                        \
  __attribute__((noinline)) static void block_##ROWS##x##TILES(                                                   \
    const ck_matmul *p, const unpacked_tiles *weights, size_t m, size_t tile, size_t group, int count, int is_last) { \
    if (p->book->group == 32) block(p, weights, m, tile, group, count, is_last, ROWS, TILES, 1);                   \
    else block(p, weights, m, tile, group, count, is_last, ROWS, TILES, 2);                                        \
  }
#define BLOCKS(TILES) BLOCK(1, TILES) BLOCK(2, TILES) BLOCK(3, TILES) BLOCK(4, TILES) BLOCK(5, TILES) BLOCK(6, TILES)
BLOCKS(1)
BLOCKS(2)
#undef BLOCKS
#undef BLOCK

// All rows, in blocks of nearly equal height, by chunks of nearly equal depth.
BODY void all_rows(const ck_matmul *p, size_t tile, int tiles, int bits, block_function *const blocks[MOST_ROWS]) {
  unpacked_tiles weights;
  book_tables tables = tables_flipped(p->book, bits, 0x80);
  size_t groups = p->run_count * p->run_groups, count = (p->row_count + MOST_ROWS - 1) / MOST_ROWS;
  size_t chunks = (groups + CHUNK - 1) / CHUNK;
  for (size_t chunk = 0; chunk < chunks; chunk++) {
    size_t group = groups * chunk / chunks;
    int taken = (int)(groups * (chunk + 1) / chunks - group);
    if (p->book->group == 32) unpack_tiles(p, &tables, tile, tiles, group, taken, bits, 1, &weights);
    else unpack_tiles(p, &tables, tile, tiles, group, taken, bits, 2, &weights);
    for (size_t b = 0; b < count; b++) {
      size_t first = p->row_count * b / count, last = p->row_count * (b + 1) / count;
      blocks[last - first - 1](p, &weights, first, tile, group, taken, group + taken == groups);
    }
  }
}

// One row times `tiles` tiles. tiles, bits and halves are constants.
BODY void one_book_row(const ck_matmul *p, size_t t0, int tiles, int bits, int halves) {
  size_t groups = p->run_count * p->run_groups;
  book_tables tables = tables_flipped(p->book, bits, 0x80);
  __m512 total[4];
  for (int t = 0; t < tiles; t++) total[t] = _mm512_setzero_ps();
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
          _mm_prefetch((const char *)tile_codes + 3072 + line * 64, _MM_HINT_T0);
        _mm_prefetch((const char *)(bytes + t * groups * halves * TILE_ROWS) + 384, _MM_HINT_T0);
        __m512 products;
        for (int half = 0; half < halves; half++) {
          const uint8_t *half_bytes = bytes + (t * groups * halves + half) * TILE_ROWS;
          __m512 multiple = multiples_of(&tables, half_bytes);
          __m512i shift = shifts_of(&tables, half_bytes), sum = start_of(half_sum(p, at, halves, half));
          for (int line = half * TILE_LINES / halves; line < (half + 1) * TILE_LINES / halves; line++) {
            __m512i levels = unpacked_line(tile_codes, bits, 0x80, &tables, line);
            if (bits < 8) levels = _mm512_add_epi8(levels, shift);
            sum = _mm512_dpbusd_epi32(sum, levels, four_everywhere(activations + line * 4));
          }
          __m512 exact = _mm512_cvtepi32_ps(sum);
          products = half ? _mm512_fmadd_ps(exact, multiple, products) : _mm512_mul_ps(exact, multiple);
        }
        total[t] = _mm512_fmadd_ps(products, _mm512_set1_ps(p->activation_scales[at]), total[t]);
      }
    }
  }
  for (int t = 0; t < tiles; t++) {
    size_t output = (t0 + t) * TILE_ROWS, left = p->output_count - output;
    __mmask16 mask = left >= TILE_ROWS ? 0xFFFF : (__mmask16)((1u << left) - 1);
    __m512 row = _mm512_castsi512_ps(_mm512_slli_epi32(
      _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p->row_scales + output))), 16));
    _mm512_mask_storeu_ps(p->output + output, mask, _mm512_mul_ps(total[t], row));
  }
}

#include "one_book_row.h"

BODY void tiles_of_many_rows(const ck_matmul *p, size_t tile, size_t last, int bits) {
  static block_function *const one[] = {block_1x1, block_2x1, block_3x1, block_4x1, block_5x1, block_6x1};
  static block_function *const two[] = {block_1x2, block_2x2, block_3x2, block_4x2, block_5x2, block_6x2};
  for (; tile + 2 <= last; tile += 2) all_rows(p, tile, 2, bits, two);
  if (tile < last) all_rows(p, tile, 1, bits, one);
}

static void book_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
#define TILES(BITS)                                                                                  \
  if (p->row_count == 1) tiles_of_one_row(p, first_tile, last_tile, one_book_row_##BITS);               \
  else tiles_of_many_rows(p, first_tile, last_tile, BITS);                                          \
  break
  FOR_BOOK_WIDTHS(p->book, TILES)
#undef TILES
}

void ck_fill_avx512_books(ck_table *table) { table->book_tiles = book_tiles; }

#pragma clang attribute pop
#endif

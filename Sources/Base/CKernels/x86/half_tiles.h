// Products of quantized weights in vectors of 256 bits: half a tile, eight outputs, at a time. A unit that includes this has
// defined group_sums, the exact sums of one group:
//
//   BODY void group_sums(
//     const uint8_t *codes, const int8_t *activations, size_t row_bytes, const int32_t *sums, size_t row_stride, int rows,
//     int bits, __m256i *total);
//
// codes: of eight outputs, 64 bytes from line to line; activations: `rows` rows, row_bytes apart; sums: of each row's
// activations, row_stride apart.

BODY void store(const ck_matmul *p, size_t m, size_t output, __m256 total) {
  float *out = p->output + m * p->output_stride + output;
  if (output + HALF <= p->output_count) {
    _mm256_storeu_ps(out, total);
    return;
  }
  float edge[HALF];
  _mm256_storeu_ps(edge, total);
  for (size_t n = 0; output + n < p->output_count; n++) out[n] = edge[n];
}

// `rows` rows times one half of a tile, or one row times all of `tiles` tiles side by side, over all groups. rows, halves,
// tiles and bits are constants.
BODY void block(const ck_matmul *p, size_t m0, size_t tile, int half, int halves, int tiles, int rows, int bits) {
  size_t groups = p->run_count * p->run_groups, row_bytes = p->row_stride * TILE_COLUMNS;
  const uint8_t *codes = p->codes + tile * groups * tile_bytes(bits) + half * 32;
  const uint16_t *scales = p->scales + tile * groups * TILE_ROWS + half * HALF;
  __m256 total[MOST * 2][MOST];
  for (int h = 0; h < tiles * halves; h++)
    for (int m = 0; m < rows; m++) total[h][m] = _mm256_setzero_ps();
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = m0 * p->row_stride + p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups; at++, codes += tile_bytes(bits), scales += TILE_ROWS) {
      const int8_t *activations = p->activations + at * TILE_COLUMNS;
      for (int t = 0; t < tiles; t++) {
        const uint8_t *tile_codes = codes + t * groups * tile_bytes(bits);
        const uint16_t *tile_scales = scales + t * groups * TILE_ROWS;
        if (rows == 1)
          for (int line = 0; line < bits; line++) _mm_prefetch((const char *)tile_codes + 2048 + line * 64, _MM_HINT_T0);
        for (int h = 0; h < halves; h++) {
          __m256i sums[MOST];
          const uint8_t *half_codes = tile_codes + h * 32;
          group_sums(half_codes, activations, row_bytes, p->activation_sums + at, p->row_stride, rows, bits, sums);
          __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(tile_scales + h * HALF)));
          for (int m = 0; m < rows; m++) {
            __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(p->activation_scales[at + m * p->row_stride]));
            total[t * halves + h][m] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[m]), both, total[t * halves + h][m]);
          }
        }
      }
    }
  }
  for (int t = 0; t < tiles; t++)
    for (int h = 0; h < halves; h++)
      for (int m = 0; m < rows; m++) {
        size_t output = (tile + t) * TILE_ROWS + (half + h) * HALF;
        if (output < p->output_count) store(p, m0 + m, output, total[t * halves + h][m]);
      }
}

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(NAME, ROWS, TILES, HALVES)                                                                  \
  __attribute__((noinline)) static void NAME(const ck_matmul *p, size_t m, size_t tile, int half) { \
    if (p->bits == 8) block(p, m, tile, half, HALVES, TILES, ROWS, 8);                                    \
    else block(p, m, tile, half, HALVES, TILES, ROWS, 4);                                                 \
  }
BLOCK(six_rows, 6, 1, 1)
BLOCK(four_rows, 4, 1, 1)
BLOCK(two_rows, 2, 1, 1)
BLOCK(one_row_four_tiles, 1, 4, 2)
BLOCK(one_row, 1, 1, 2)
#undef BLOCK

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  size_t pairs = p->row_count / 2 * 2;
  for (size_t tile = first_tile; tile < last_tile && pairs > 0; tile++)
    for (int half = 0; half < 2 && tile * TILE_ROWS + half * HALF < p->output_count; half++) {
      size_t m = 0;
      for (; pairs - m >= 6; m += 6) six_rows(p, m, tile, half);
      for (; pairs - m >= 4; m += 4) four_rows(p, m, tile, half);
      if (m < pairs) two_rows(p, m, tile, half);
    }
  if (pairs == p->row_count) return;
  size_t tile = first_tile;
  for (; tile + 4 <= last_tile; tile += 4) one_row_four_tiles(p, pairs, tile, 0);
  for (; tile < last_tile; tile++) one_row(p, pairs, tile, 0);
}

// One row of exact activations times weights with learned levels: the codes are read once, where they lie.

// Sums of one group for each of sixteen outputs: a chain of fused multiply-adds over the columns.
BODY void book_group_sums(const tile_levels *levels, const ck_book *book, int half, const float *x, float *sum) {
  int first = half * book->group / 4;
  FOR_ROWS sum[r] = 0;
  for (int line = first; line < first + book->group / 4; line++) {
    uint32_t word[TILE_ROWS];
    memcpy(word, levels->line[line], sizeof word);
    for (int k = 0; k < 4; k++) FOR_ROWS {
      int32_t level = (int32_t)(word[r] << (24 - 8 * k)) >> 24;
      sum[r] = __builtin_fmaf((float)level, x[line * 4 + k], sum[r]);
    }
  }
}

BODY void book_row_of_tiles(
  const ck_book_stripe *weights, const ck_book *book, int bits, size_t groups, const float *x, size_t columns,
  int tiles, float *out, size_t outputs) {
  int halves = book_halves(book);
  book_tables tables = tables_of(book, bits);
  size_t tile_stride = groups * tile_bytes(bits), scale_stride = groups * scale_bytes(book);
  float total[4][TILE_ROWS] = {{0}};
  for (size_t g = 0; g < groups; g++) {
    float last[TILE_COLUMNS] = {0};
    const float *group = x + g * TILE_COLUMNS;
    if (columns - g * TILE_COLUMNS < TILE_COLUMNS) {
      memcpy(last, group, (columns - g * TILE_COLUMNS) * sizeof(float));
      group = last;
    }
    for (int t = 0; t < tiles; t++) {
      const uint8_t *codes = weights->codes + t * tile_stride + g * tile_bytes(bits);
      for (int line = 0; line < bits; line++) __builtin_prefetch(codes + 2048 + line * 64);
      const uint8_t *bytes = weights->scales + t * scale_stride + g * scale_bytes(book);
      tile_levels levels;
      unpack_tile(codes, bytes, &tables, bits, halves, &levels);
      for (int half = 0; half < halves; half++) {
        float multiple[TILE_ROWS], sum[TILE_ROWS];
        book_multiples(book, bytes + half * TILE_ROWS, multiple);
        book_group_sums(&levels, book, half, group, sum);
        FOR_ROWS total[t][r] = __builtin_fmaf(sum[r], multiple[r], total[t][r]);
      }
    }
  }
  for (int t = 0; t < tiles; t++) {
    float row[TILE_ROWS];
    book_row_scales(weights->row_scales + t * TILE_ROWS, row);
    for (size_t r = 0; r < TILE_ROWS && t * TILE_ROWS + r < outputs; r++)
      out[t * TILE_ROWS + r] += total[t][r] * row[r];
  }
}

BODY void book_row_of_all(
  ck_book_stripe weights, const ck_book *book, int bits, const float *x, size_t columns, float *out, size_t outputs) {
  size_t groups = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  while (outputs > 0) {
    size_t taken = outputs >= 4 * TILE_ROWS ? 4 : 1, done = taken * TILE_ROWS < outputs ? taken * TILE_ROWS : outputs;
    if (taken == 4) book_row_of_tiles(&weights, book, bits, groups, x, columns, 4, out, outputs);
    else book_row_of_tiles(&weights, book, bits, groups, x, columns, 1, out, outputs);
    weights.codes += taken * groups * tile_bytes(bits);
    weights.scales += taken * groups * scale_bytes(book);
    weights.row_scales += taken * TILE_ROWS;
    out += done;
    outputs -= done;
  }
}

static void multiply_book_row(
  const ck_book_stripe *weights, const ck_book *book, const float *x, size_t columns, float *out, size_t outputs) {
#define ROW(BITS) book_row_of_all(*weights, book, BITS, x, columns, out, outputs); break
  FOR_BOOK_WIDTHS(book, ROW)
#undef ROW
}

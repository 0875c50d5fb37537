// Products of weights with learned levels, read where they lie, with quantized activations.

BODY void book_products(const ck_matmul *p, int bits, size_t first_tile, size_t last_tile) {
  const ck_book *book = p->book;
  int halves = book_halves(book);
  book_tables tables = tables_of(book, bits);
  size_t groups = p->run_count * p->run_groups;
  for (size_t tile = first_tile; tile < last_tile; tile++) {
    float row[TILE_ROWS];
    book_row_scales(p->row_scales + tile * TILE_ROWS, row);
    for (size_t m = 0; m < p->row_count; m++) {
      float total[TILE_ROWS] = {0};
      for (size_t g = 0; g < groups; g++) {
        size_t at = m * p->row_stride + place_of(p, g);
        const int8_t *activations = p->activations + at * TILE_COLUMNS;
        const uint8_t *bytes = p->byte_scales + (tile * groups + g) * scale_bytes(book);
        float products[TILE_ROWS] = {0};
        tile_levels levels;
        unpack_tile(p->codes + (tile * groups + g) * tile_bytes(bits), bytes, &tables, bits, halves, &levels);
        for (int half = 0; half < halves; half++) {
          float multiple[TILE_ROWS];
          int32_t sum[TILE_ROWS] = {0};
          book_multiples(book, bytes + half * TILE_ROWS, multiple);
          for (int c = half * book->group; c < (half + 1) * book->group; c++)
            FOR_ROWS sum[r] += levels.line[c / 4][r * 4 + c % 4] * activations[c];
          FOR_ROWS products[r] = __builtin_fmaf((float)sum[r], multiple[r], products[r]);
        }
        FOR_ROWS total[r] = __builtin_fmaf(products[r], p->activation_scales[at], total[r]);
      }
      for (size_t r = 0; r < TILE_ROWS && tile * TILE_ROWS + r < p->output_count; r++)
        p->output[m * p->output_stride + tile * TILE_ROWS + r] = total[r] * row[r];
    }
  }
}

static void book_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
#define TILES(BITS) book_products(p, BITS, first_tile, last_tile); break
  FOR_BOOK_WIDTHS(p->book, TILES)
#undef TILES
}

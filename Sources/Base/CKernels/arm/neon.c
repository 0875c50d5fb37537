// NEON, which every arm64 processor has: plain C is compiled for it already, save where registers are shared out by
// hand, and where bytes or floats are looked up, which compilers do one at a time.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../bodies/common.h"
#include "../fills.h"

#include "lookup_neon.h"
#include "unpack_neon.h"

#include "../bodies/book_decoding.h"
#include "../bodies/book_product.h"
#include "../bodies/book_quantization.h"
#include "../bodies/book_row.h"

enum { LANES = 4, VECTORS = 4, MOST_ROWS = 6 };
#include "../bodies/panel_product.h"

void ck_fill_neon(ck_table *table) {
  table->panel_product = panel_product;
  table->quantize_book_stripe = quantize_book_stripe;
  table->decode_book_stripe = decode_book_stripe;
  table->decode_book_panel = decode_book_panel;
  table->book_tiles = book_tiles;
  table->multiply_book_row = multiply_book_row;
}
#endif

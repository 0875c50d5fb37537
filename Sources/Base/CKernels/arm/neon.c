// NEON, which every arm64 processor has: plain C is compiled for it already, save where registers are shared out by
// hand.
#if defined(__aarch64__)
#include "../fills.h"

enum { LANES = 4, VECTORS = 4, MOST_ROWS = 6 };
#include "../bodies/panel_product.h"

void ck_fill_neon(ck_table *table) { table->panel_product = panel_product; }
#endif

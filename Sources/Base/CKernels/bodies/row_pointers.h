// Rows at a stride, three to a pointer: an address of the processor's tells three apart. Left to itself, the compiler adds up the address
// of each row from the one before, in between the products, whose units those sums take.
#ifndef CKERNELS_ROW_POINTERS_H
#define CKERNELS_ROW_POINTERS_H

// Pointers to at most twelve rows. ROWS is a constant.
#define ROW_POINTERS(TYPE, NAME, FIRST, STRIDE, ROWS) \
  const TYPE *NAME[4];                                \
  _Pragma("unroll") for (int m = 0; m < (ROWS); m += 3) NAME[m / 3] = (FIRST) + m * (STRIDE)

#define ROW(NAME, STRIDE, M) (NAME[(M) / 3] + (M) % 3 * (STRIDE))

// Moves on in all rows, by what the compiler is not to fold into sums of its own.
#define MOVE_ON(NAME, STEP, ROWS)                           \
  _Pragma("unroll") for (int m = 0; m < (ROWS); m += 3) { \
    NAME[m / 3] += (STEP);                                  \
    __asm__("" : "+r"(NAME[m / 3]));                        \
  }

#endif

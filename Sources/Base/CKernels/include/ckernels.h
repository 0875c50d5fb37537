// Inner loops in C. Nothing here allocates or checks: the Swift target Kernels does both before it calls.
//
// There is one table of functions for each level of instructions that a machine may have; functions.def says what each
// function does. ck_<name>(...) calls the function of the active table.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Instruction sets that the active table makes use of, as bits: those of this machine, unless BANTAM_ISA names a lower one.
enum { CK_ISA_CRC32C = 1, CK_ISA_AVX2 = 2, CK_ISA_AVX512 = 4, CK_ISA_AVX512_VNNI = 8, CK_ISA_AVX512_BF16 = 16,
  CK_ISA_NEON_DOTPROD = 32, CK_ISA_AVX_VNNI = 64, CK_ISA_NEON_I8MM = 128 };
uint32_t ck_isa(void);

// Types of elements.
enum { CK_F32 = 0, CK_F16 = 1, CK_BF16 = 2 };

typedef struct {
  double minimum, maximum;  // over finite elements
  double square_sum;        // over finite elements
  uint64_t zero_count, nonfinite_count;
} ck_stats;

typedef struct {
  double square_a, square_b, product, error_square, largest_error;
  uint64_t largest_error_index, element_count, nonfinite_mismatch_count, changed_count;
} ck_diff;

// Group quantization. A stripe is up to 16 rows of a matrix, cut into tiles of 16 rows x 32 columns; each row of a tile
// has one f16 scale. Codes are offset by half their range and lie in lines of 64 bytes: 16 rows x 4 columns at 8 bits,
// 16 x 8 at 4 bits (low nibbles columns 0-3 of the line, high nibbles columns 4-7).
enum { CK_TILE_ROWS = 16, CK_TILE_COLUMNS = 32 };

// Sums over elements: squares of the source, of the decoded values, their product, squares of the difference.
typedef struct {
  double source_square, coded_square, product, error_square, largest_error;
} ck_error_sums;

// Codes with learned levels: value = row scale x (multiple x (level[code] + shift)). A group has a byte: the sign of its
// multiple, which shift, the multiple's magnitude. At 8 bits level[code] is code - 128. Tiles as above; codes of 3, 5 and 6
// bits lie in slices.
typedef struct ck_book {
  int bits;            // 3, 4, 5, 6 or 8
  int group;           // 32 or 16 columns
  int shift_bits;      // of the byte: 0, 1 or 2
  int8_t shifts[4];
  int8_t levels[64];   // sorted, 2^bits of them; those behind are read and not used
} ck_book;

// Floats that quantizing keeps of a group of 16 rows.
enum { CK_BOOK_WORK = 19 * CK_TILE_ROWS };

// What columns behind take up of a column's error, in blocks of columns of a segment: `factors` are the blocks' matrices one after
// another, [size, size] each, of which factors[k * size + c], c < k, is the part of column c's error that column k is lowered by.
typedef struct {
  const float *factors;
  size_t block;  // columns of a block, a multiple of 32; the last of a segment may have fewer
} ck_feedback;

typedef struct {
  const uint8_t *codes;        // tiles of 16 outputs x 32 columns, along the columns first
  const uint8_t *scales;       // [tiles down, groups, 16]
  const uint16_t *row_scales;  // [tiles down, 16] bf16
} ck_book_stripe;

// A product of quantized activations with weights as quantize_stripe leaves them. Activations lie in groups of 32. A row
// of the product is one run of groups, or several: the taps of a convolution, each at the same distance from the row's
// first group.
typedef struct {
  const uint8_t *codes;             // tiles of 16 outputs x 32 columns, along the columns first
  const uint16_t *scales;           // [tiles down, groups, 16] f16
  const int8_t *activations;        // [groups, 32]
  const float *activation_scales;   // [groups]
  const int32_t *activation_sums;   // [groups]: of the codes
  const int32_t *activation_half_sums;  // [groups]: of the first 16 codes
  float *output;                    // [row_count, output_stride], output_count of each row written
  size_t row_count, row_stride;     // the stride counts groups
  size_t run_count, run_groups;     // groups of a row of weights: run_count * run_groups
  const size_t *run_offsets;        // [run_count]: groups from the first of a row to the first of a run
  size_t output_count, output_stride;
  int bits;
  // Of weights with learned levels, in place of the f16 scales: see ck_book_stripe.
  const struct ck_book *book;
  const uint8_t *byte_scales;
  const uint16_t *row_scales;
} ck_matmul;

// The blocked product. A panel holds 32 outputs, input after input: panel[k * 32 + n].
enum { CK_PANEL_COLUMNS = 32 };

// All functions, as one level of instructions has them.
typedef struct ck_table {
  const char *name;
#define CK_FUNCTION(RESULT, NAME, PARAMETERS, ARGUMENTS) RESULT(*NAME) PARAMETERS;
#include "functions.def"
#undef CK_FUNCTION
} ck_table;

// The tables whose instructions this machine has, in ascending order; the first is plain C.
size_t ck_table_count(void);
const ck_table *ck_table_at(size_t index);

// The table that is used: the last one, or the one that the environment variable BANTAM_ISA names. Filled before main.
extern const ck_table *ck_active_table;
static inline const ck_table *ck_active(void) { return ck_active_table; }

#define CK_FUNCTION(RESULT, NAME, PARAMETERS, ARGUMENTS) \
  static inline RESULT ck_##NAME PARAMETERS { return ck_active()->NAME ARGUMENTS; }
#include "functions.def"
#undef CK_FUNCTION

#endif

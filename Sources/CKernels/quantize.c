// Quantizing and decoding groups of 32 columns, sixteen rows side by side: lane r of every vector is row r of the tile, so no
// sum ever crosses lanes. Fused multiply-adds are written out, everything else is rounded apart: every instruction set gives
// the same bits.
#pragma STDC FP_CONTRACT OFF

#include "ckernels.h"
#include "floats.h"

#define ROWS CK_TILE_ROWS
#define COLUMNS CK_TILE_COLUMNS

// Rounds to the nearest integer, ties to even, for magnitudes below 2^22: the sum has no bits left for a fraction.
#define MAGIC 12582912.0f

#define FOR_ROWS for (int r = 0; r < ROWS; r++)

// Trial scales, an even number: the element of largest magnitude becomes code low / trial. Beyond 1 it is clipped, which
// pays where the others then fall better; below 0 it takes the shorter end.
static const float trials_int8[] = {0.9922f, 0.9844f, 0.9766f, 0.9688f, 0.9609f, 0.9531f, 0.9453f, 1.0039f};
static const float trials_int4[] = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 1.05f, 1.1f, 1.15f, 1.2f, -0.95f};

// A choice without a branch: the loops over rows stay vectors, and nothing is guessed wrong.
BODY float choose(int condition, float yes, float no) {
  uint32_t mask = 0u - (uint32_t)condition;
  return float_of_bits((bits_of_float(yes) & mask) | (bits_of_float(no) & ~mask));
}

// The scale as it is stored: f16.
BODY float stored_scale(float scale) {
  float limited = choose(scale > 65504.0f, 65504.0f, scale);
  limited = choose(limited < -65504.0f, -65504.0f, limited);
  return float_of_bits(widen_f16(narrow_f16(bits_of_float(limited))));
}

BODY float reciprocal(float scale) { return choose(scale == 0.0f, 0.0f, 1.0f / scale); }

#define FMA __builtin_fmaf

BODY float rounded_code(float x, float inverse, float low, float high) {
  float shifted = FMA(x, inverse, MAGIC);
  shifted = shifted > MAGIC + low ? shifted : MAGIC + low;  // NaN cannot come here, see tame
  shifted = shifted < MAGIC + high ? shifted : MAGIC + high;
  return shifted - MAGIC;
}

// Squared error of a tile under the given scales, by row.
BODY void tile_error(const float *x, int columns, const float *scale, float low, float high, float *error) {
  float inverse[ROWS];
  FOR_ROWS inverse[r] = reciprocal(scale[r]);
  FOR_ROWS error[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * ROWS + r];
    float difference = FMA(-rounded_code(value, inverse[r], low, high), scale[r], value);
    error[r] = FMA(difference, difference, error[r]);
  }
}

// The least-squares scale for the codes that `scale` gives.
BODY void tile_refit(const float *x, int columns, const float *scale, float low, float high, float *refitted) {
  float inverse[ROWS], product[ROWS], square[ROWS];
  FOR_ROWS inverse[r] = reciprocal(scale[r]);
  FOR_ROWS product[r] = 0;
  FOR_ROWS square[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * ROWS + r];
    float code = rounded_code(value, inverse[r], low, high);
    product[r] = FMA(value, code, product[r]);
    square[r] = FMA(code, code, square[r]);
  }
  FOR_ROWS refitted[r] = stored_scale(choose(square[r] == 0.0f, 0.0f, product[r] / square[r]));
}

// Squared errors under two sets of scales at once: two chains of sums keep the multipliers busy.
BODY void tile_errors(
  const float *x, int columns, const float *scale_a, const float *scale_b, float low, float high, float *error_a,
  float *error_b) {
  float inverse_a[ROWS], inverse_b[ROWS], sum_a[ROWS], sum_b[ROWS];
  FOR_ROWS inverse_a[r] = reciprocal(scale_a[r]);
  FOR_ROWS inverse_b[r] = reciprocal(scale_b[r]);
  FOR_ROWS sum_a[r] = 0;
  FOR_ROWS sum_b[r] = 0;
  for (int c = 0; c < columns; c++) {
    FOR_ROWS {
      float value = x[c * ROWS + r];
      float difference = FMA(-rounded_code(value, inverse_a[r], low, high), scale_a[r], value);
      sum_a[r] = FMA(difference, difference, sum_a[r]);
    }
    FOR_ROWS {
      float value = x[c * ROWS + r];
      float difference = FMA(-rounded_code(value, inverse_b[r], low, high), scale_b[r], value);
      sum_b[r] = FMA(difference, difference, sum_b[r]);
    }
  }
  FOR_ROWS error_a[r] = sum_a[r];
  FOR_ROWS error_b[r] = sum_b[r];
}

BODY void keep_better(const float *candidate, const float *error, float *best_scale, float *best_error) {
  FOR_ROWS {
    int better = error[r] < best_error[r];
    best_scale[r] = choose(better, candidate[r], best_scale[r]);
    best_error[r] = choose(better, error[r], best_error[r]);
  }
}

// The smallest scales that f16 has, where the others are too coarse to be met by a trial: without them groups of tiny values would
// become zeros. Other rows keep what they have.
#define TINY_SCALE 0x1p-20f
#define TINY_STEP 0x1p-24f

BODY void search_tiny_scales(
  const float *x, int columns, float low, float high, const float *plain, float *best_scale, float *best_error) {
  int tiny[ROWS], any = 0;
  FOR_ROWS {
    tiny[r] = plain[r] != 0.0f && __builtin_fabsf(plain[r]) < TINY_SCALE;
    any |= tiny[r];
  }
  if (!any) return;
  float first[ROWS], second[ROWS], first_error[ROWS], second_error[ROWS];
  for (int step = 1; step <= 16; step += 2) {
    FOR_ROWS {
      float sign = choose(plain[r] < 0.0f, -TINY_STEP, TINY_STEP);
      first[r] = choose(tiny[r], sign * (float)step, best_scale[r]);
      second[r] = choose(tiny[r], sign * (float)(step + 1), best_scale[r]);
    }
    tile_errors(x, columns, first, second, low, high, first_error, second_error);
    keep_better(first, first_error, best_scale, best_error);
    keep_better(second, second_error, best_scale, best_error);
  }
}

// The scale of each row of a tile. Every trial is judged by the error of the values as they will be decoded.
BODY void search_scales(
  const float *x, int columns, float low, float high, const float *trials, int trial_count, int refit_all,
  float *best_scale) {
  float extreme[ROWS], first[ROWS], second[ROWS], first_error[ROWS], second_error[ROWS], best_error[ROWS];
  FOR_ROWS extreme[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * ROWS + r];
    extreme[r] = choose(__builtin_fabsf(value) > __builtin_fabsf(extreme[r]), value, extreme[r]);
  }
  // The plain scale stands even where its error overflows.
  FOR_ROWS best_scale[r] = stored_scale(extreme[r] / low);
  tile_error(x, columns, best_scale, low, high, best_error);
  for (int t = 0; t < trial_count; t += 2) {
    FOR_ROWS first[r] = stored_scale(extreme[r] / (low * trials[t]));
    FOR_ROWS second[r] = stored_scale(extreme[r] / (low * trials[t + 1]));
    if (refit_all) {
      tile_refit(x, columns, first, low, high, first);
      tile_refit(x, columns, second, low, high, second);
    }
    tile_errors(x, columns, first, second, low, high, first_error, second_error);
    keep_better(first, first_error, best_scale, best_error);
    keep_better(second, second_error, best_scale, best_error);
  }
  tile_refit(x, columns, best_scale, low, high, first);
  tile_error(x, columns, first, low, high, first_error);
  keep_better(first, first_error, best_scale, best_error);
  FOR_ROWS first[r] = extreme[r] / low;
  search_tiny_scales(x, columns, low, high, first, best_scale, best_error);
}

// Codes of a tile in the order of formats/bantam.md, section 8; sums of the errors. Words are stored as they lie in memory
// on little-endian machines, the only ones that are built for.
BODY void write_tile(
  const float *x, int rows, int columns, int bits, const float *scale, uint8_t *codes, uint16_t *scales,
  ck_error_sums *sums) {
  float low = bits == 8 ? -128.0f : -8.0f, high = bits == 8 ? 127.0f : 7.0f;
  float inverse[ROWS], largest[ROWS];
  uint32_t offset = bits == 8 ? 128 : 8;
  double source[ROWS], coded[ROWS], both[ROWS], error[ROWS];
  uint32_t code[COLUMNS][ROWS], inside[ROWS];
  FOR_ROWS inverse[r] = reciprocal(scale[r]);
  FOR_ROWS source[r] = coded[r] = both[r] = error[r] = 0;
  FOR_ROWS largest[r] = 0;
  FOR_ROWS inside[r] = r < rows ? 0xFFFFFFFFu : 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * ROWS + r];
    float rounded = rounded_code(value, inverse[r], low, high);
    double exact = value, decoded = (double)(rounded * scale[r]), difference = exact - decoded;
    float magnitude = __builtin_fabsf((float)difference);
    code[c][r] = ((uint32_t)(int32_t)rounded + offset) & inside[r];
    source[r] = __builtin_fma(exact, exact, source[r]);
    coded[r] = __builtin_fma(decoded, decoded, coded[r]);
    both[r] = __builtin_fma(exact, decoded, both[r]);
    error[r] = __builtin_fma(difference, difference, error[r]);
    largest[r] = magnitude > largest[r] ? magnitude : largest[r];
  }
  for (int c = columns; c < COLUMNS; c++) FOR_ROWS code[c][r] = 0;
  for (int r = 0; r < rows; r++) {
    sums->source_square += source[r];
    sums->coded_square += coded[r];
    sums->product += both[r];
    sums->error_square += error[r];
    sums->largest_error = largest[r] > sums->largest_error ? largest[r] : sums->largest_error;
  }
  FOR_ROWS scales[r] = (uint16_t)(narrow_f16(bits_of_float(scale[r])) & inside[r]);
  int step = bits == 8 ? 4 : 8;
  for (int c = 0; c < COLUMNS; c += step, codes += ROWS * 4) {
    uint32_t word[ROWS];
    FOR_ROWS word[r] = code[c][r] | code[c + 1][r] << 8 | code[c + 2][r] << 16 | code[c + 3][r] << 24;
    if (bits == 4)
      FOR_ROWS word[r] |= code[c + 4][r] << 4 | code[c + 5][r] << 12 | code[c + 6][r] << 20 | code[c + 7][r] << 28;
    memcpy(codes, word, sizeof word);
  }
}

// NaN counts as 0, infinity as the largest finite value of its row of the tile, with its sign.
BODY void tame(float *x, int columns) {
  float largest[ROWS];
  FOR_ROWS largest[r] = 0;
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float magnitude = __builtin_fabsf(x[c * ROWS + r]);
    largest[r] = magnitude < __builtin_inff() && magnitude > largest[r] ? magnitude : largest[r];
  }
  for (int c = 0; c < columns; c++) FOR_ROWS {
    float value = x[c * ROWS + r];
    value = value != value ? 0.0f : value;
    value = value == __builtin_inff() ? largest[r] : value;
    x[c * ROWS + r] = value == -__builtin_inff() ? -largest[r] : value;
  }
}

typedef uint32_t lanes __attribute__((vector_size(64)));

// out[c][r] = in[r][c] for a square of 16: four rounds of interleaving halves. Strides count elements.
BODY void turn_square(const void *in, size_t in_stride, void *out, size_t out_stride) {
  lanes line[ROWS], next[ROWS];
  FOR_ROWS memcpy(&line[r], (const uint32_t *)in + r * in_stride, sizeof *line);
  for (int round = 0; round < 4; round++) {
    for (int r = 0; r < ROWS / 2; r++) {
      next[2 * r] = __builtin_shufflevector(
        line[r], line[r + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * r + 1] = __builtin_shufflevector(
        line[r], line[r + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    FOR_ROWS line[r] = next[r];
  }
  FOR_ROWS memcpy((uint32_t *)out + r * out_stride, &line[r], sizeof *line);
}

// One row of a tile, widened; columns beyond the width are zero.
BODY void load_row(const void *values, int dtype, size_t index, int width, uint32_t *row) {
  if (width == COLUMNS) {  // a whole group, of a length that the compiler knows
    if (dtype == CK_BF16) for (int c = 0; c < COLUMNS; c++) row[c] = widen_bf16(((const uint16_t *)values)[index + c]);
    else if (dtype == CK_F16) for (int c = 0; c < COLUMNS; c++) row[c] = widen_f16(((const uint16_t *)values)[index + c]);
    else memcpy(row, (const uint32_t *)values + index, COLUMNS * 4);
    return;
  }
  for (int c = 0; c < COLUMNS; c++) row[c] = 0;
  for (int c = 0; c < width; c++) {
    if (dtype == CK_BF16) row[c] = widen_bf16(((const uint16_t *)values)[index + c]);
    else if (dtype == CK_F16) row[c] = widen_f16(((const uint16_t *)values)[index + c]);
    else row[c] = ((const uint32_t *)values)[index + c];
  }
}

BODY void ck_quantize_stripe_body(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes,
  uint16_t *scales, ck_error_sums *sums) {
  size_t code_bytes = (size_t)ROWS * COLUMNS * bits / 8;
  for (size_t first = 0; first < columns; first += COLUMNS) {
    uint32_t plain[ROWS][COLUMNS] __attribute__((aligned(64)));
    float x[ROWS * COLUMNS] __attribute__((aligned(64)));
    float scale[ROWS];
    int width = columns - first < COLUMNS ? (int)(columns - first) : COLUMNS;
    memset(plain, 0, sizeof plain);
    for (size_t r = 0; r < rows; r++) load_row(values, dtype, r * row_stride + first, width, plain[r]);
    uint32_t special = 0;
    for (int r = 0; r < ROWS; r++)
      for (int c = 0; c < COLUMNS; c++) special |= (plain[r][c] & 0x7F800000u) == 0x7F800000u;
    turn_square(plain[0], COLUMNS, x, ROWS);
    turn_square(&plain[0][16], COLUMNS, x + 16 * ROWS, ROWS);
    if (special) tame(x, width);
    if (bits == 8)
      search_scales(x, width, -128.0f, 127.0f, trials_int8, sizeof trials_int8 / sizeof *trials_int8, 0, scale);
    else
      search_scales(x, width, -8.0f, 7.0f, trials_int4, sizeof trials_int4 / sizeof *trials_int4, 1, scale);
    write_tile(x, (int)rows, width, bits, scale, codes, scales, sums);
    codes += code_bytes;
    scales += ROWS;
  }
}

// `bits` and `dtype` are constants in each call, so that every case is compiled on its own.
#define CASES(NAME)                                                                                       \
  if (bits == 8 && dtype == CK_BF16) NAME(values, CK_BF16, row_stride, rows, columns, 8, codes, scales, sums); \
  else if (bits == 8 && dtype == CK_F16) NAME(values, CK_F16, row_stride, rows, columns, 8, codes, scales, sums); \
  else if (bits == 8) NAME(values, CK_F32, row_stride, rows, columns, 8, codes, scales, sums);              \
  else if (dtype == CK_BF16) NAME(values, CK_BF16, row_stride, rows, columns, 4, codes, scales, sums);      \
  else if (dtype == CK_F16) NAME(values, CK_F16, row_stride, rows, columns, 4, codes, scales, sums);        \
  else NAME(values, CK_F32, row_stride, rows, columns, 4, codes, scales, sums);

#define PARAMETERS                                                                                          \
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes, \
    uint16_t *scales, ck_error_sums *sums

void ck_quantize_stripe_scalar(PARAMETERS) { CASES(ck_quantize_stripe_body) }

#if defined(__x86_64__)
TARGET_AVX512 static void ck_quantize_stripe_avx512(PARAMETERS) { CASES(ck_quantize_stripe_body) }
TARGET_AVX2 static void ck_quantize_stripe_avx2(PARAMETERS) { CASES(ck_quantize_stripe_body) }
#endif

void ck_quantize_stripe(PARAMETERS) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512)
    return ck_quantize_stripe_avx512(values, dtype, row_stride, rows, columns, bits, codes, scales, sums);
  if (ck_isa() & CK_ISA_AVX2)
    return ck_quantize_stripe_avx2(values, dtype, row_stride, rows, columns, bits, codes, scales, sums);
#endif
  ck_quantize_stripe_scalar(values, dtype, row_stride, rows, columns, bits, codes, scales, sums);
}

// The values of one tile, column by column, as the lines lie.
BODY void decode_tile(const uint8_t *codes, const uint16_t *scales, int bits, float value[COLUMNS][ROWS]) {
  int step = bits == 8 ? 4 : 8;
  float scale[ROWS];
  FOR_ROWS scale[r] = float_of_bits(widen_f16(scales[r]));
  for (int c = 0; c < COLUMNS; c += step, codes += ROWS * 4) {
    uint32_t word[ROWS];
    memcpy(word, codes, sizeof word);
    for (int k = 0; k < step; k++) {
      // At 4 bits the low nibbles of the four bytes are columns 0-3, the high ones 4-7.
      int shift = bits == 8 ? 8 * k : k % 4 * 8 + k / 4 * 4;
      FOR_ROWS value[c + k][r] =
        (float)((int32_t)(word[r] >> shift & (bits == 8 ? 255 : 15)) - (bits == 8 ? 128 : 8)) * scale[r];
    }
  }
}

BODY void ck_decode_stripe_body(
  const uint8_t *codes, const uint16_t *scales, size_t rows, size_t columns, int bits, float *out, size_t row_stride) {
  for (size_t first = 0; first < columns; first += COLUMNS, scales += ROWS, codes += ROWS * COLUMNS * bits / 8) {
    size_t width = columns - first < COLUMNS ? columns - first : COLUMNS;
    float value[COLUMNS][ROWS] __attribute__((aligned(64))), plain[ROWS][COLUMNS] __attribute__((aligned(64)));
    decode_tile(codes, scales, bits, value);
    turn_square(value[0], ROWS, plain[0], COLUMNS);
    turn_square(value[16], ROWS, &plain[0][16], COLUMNS);
    for (size_t r = 0; r < rows; r++) {
      if (width == COLUMNS) memcpy(out + r * row_stride + first, plain[r], sizeof plain[r]);
      else memcpy(out + r * row_stride + first, plain[r], width * sizeof(float));
    }
  }
}

// The columns of a tile are what a panel holds: nothing turns.
BODY void ck_decode_panel_body(const uint8_t *codes, const uint16_t *scales, size_t columns, int bits, float *panel) {
  for (size_t first = 0; first < columns; first += COLUMNS, scales += ROWS, codes += ROWS * COLUMNS * bits / 8) {
    size_t width = columns - first < COLUMNS ? columns - first : COLUMNS;
    float value[COLUMNS][ROWS] __attribute__((aligned(64)));
    decode_tile(codes, scales, bits, value);
    for (size_t c = 0; c < width; c++) memcpy(panel + (first + c) * CK_PANEL_COLUMNS, value[c], sizeof value[c]);
  }
}

// `bits` is a constant in each call, so that both widths are compiled on their own.
#define STRIPE_PARAMETERS \
  const uint8_t *codes, const uint16_t *scales, size_t rows, size_t columns, int bits, float *out, size_t row_stride
#define STRIPE_CASES                                                                              \
  if (bits == 8) ck_decode_stripe_body(codes, scales, rows, columns, 8, out, row_stride);         \
  else ck_decode_stripe_body(codes, scales, rows, columns, 4, out, row_stride);
#define PANEL_PARAMETERS const uint8_t *codes, const uint16_t *scales, size_t columns, int bits, float *panel
#define PANEL_CASES                                                                               \
  if (bits == 8) ck_decode_panel_body(codes, scales, columns, 8, panel);                          \
  else ck_decode_panel_body(codes, scales, columns, 4, panel);

void ck_decode_stripe_scalar(STRIPE_PARAMETERS) { STRIPE_CASES }
#if defined(__x86_64__)
TARGET_AVX512 static void ck_decode_stripe_avx512(STRIPE_PARAMETERS) { STRIPE_CASES }
TARGET_AVX2 static void ck_decode_stripe_avx2(STRIPE_PARAMETERS) { STRIPE_CASES }
TARGET_AVX512 static void ck_decode_panel_avx512(PANEL_PARAMETERS) { PANEL_CASES }
TARGET_AVX2 static void ck_decode_panel_avx2(PANEL_PARAMETERS) { PANEL_CASES }
#endif

void ck_decode_stripe(STRIPE_PARAMETERS) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) return ck_decode_stripe_avx512(codes, scales, rows, columns, bits, out, row_stride);
  if (ck_isa() & CK_ISA_AVX2) return ck_decode_stripe_avx2(codes, scales, rows, columns, bits, out, row_stride);
#endif
  STRIPE_CASES
}

void ck_decode_panel(PANEL_PARAMETERS) {
#if defined(__x86_64__)
  if (ck_isa() & CK_ISA_AVX512) return ck_decode_panel_avx512(codes, scales, columns, bits, panel);
  if (ck_isa() & CK_ISA_AVX2) return ck_decode_panel_avx2(codes, scales, columns, bits, panel);
#endif
  PANEL_CASES
}

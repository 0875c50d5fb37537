// Inner loops in C. Nothing here allocates or checks: the Swift target Kernels does both before it calls.
// Names: ck_<verb>_<format>_<isa>. The _scalar form is the truth in tests.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Instruction sets found on this machine, as bits.
enum { CK_ISA_CRC32C = 1, CK_ISA_AVX2 = 2, CK_ISA_AVX512 = 4, CK_ISA_AVX512_VNNI = 8, CK_ISA_AVX512_BF16 = 16 };
uint32_t ck_isa(void);

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78). `crc` is the sum so far, 0 at the start.
uint32_t ck_crc32c_scalar(uint32_t crc, const uint8_t *data, size_t byte_count);
uint32_t ck_crc32c(uint32_t crc, const uint8_t *data, size_t byte_count);

// Statistics of one block of at most 4096 elements, added to `stats`.
// The squares are summed in 16 lanes of f64 (element index mod 16), the lanes in ascending order: every form
// gives the same bits.
typedef struct {
  double minimum, maximum;  // over finite elements
  double square_sum;        // over finite elements
  uint64_t zero_count, nonfinite_count;
} ck_stats;

void ck_stats_bf16_scalar(ck_stats *stats, const uint16_t *values, size_t count);
void ck_stats_f16_scalar(ck_stats *stats, const uint16_t *values, size_t count);
void ck_stats_f32_scalar(ck_stats *stats, const uint32_t *values, size_t count);
void ck_stats_bf16(ck_stats *stats, const uint16_t *values, size_t count);
void ck_stats_f16(ck_stats *stats, const uint16_t *values, size_t count);
void ck_stats_f32(ck_stats *stats, const uint32_t *values, size_t count);

// Conversions between float formats. Narrowing rounds to nearest, ties to even; NaN stays NaN (quiet, upper payload
// bits kept); values beyond the range become infinite. Widening is exact.
void ck_widen_bf16_f32(float *out, const uint16_t *in, size_t count);
void ck_widen_f16_f32(float *out, const uint16_t *in, size_t count);
void ck_narrow_f32_bf16(uint16_t *out, const float *in, size_t count);
void ck_narrow_f32_f16(uint16_t *out, const float *in, size_t count);

// Synthetic weights: out[i] = bf16(normal(counter + i) * scale * column_scale[(column + i) mod columns]).
// `normals`: table of 65536 quantiles of N(0,1), f32. The generator is SplitMix64 of (key + index / 4), four
// 16-bit draws to a word.
void ck_fill_normal_bf16(
  uint16_t *out, size_t count, uint64_t key, uint64_t first_index, const float *normals, float scale,
  const float *column_scale);

// Group quantization. A stripe is up to 16 rows of a matrix, cut into tiles of 16 rows x 32 columns; each row of a tile
// has one f16 scale. Codes are offset by half their range and lie in lines of 64 bytes: 16 rows x 4 columns at 8 bits,
// 16 x 8 at 4 bits (low nibbles columns 0-3 of the line, high nibbles columns 4-7).
enum { CK_TILE_ROWS = 16, CK_TILE_COLUMNS = 32 };
enum { CK_F32 = 0, CK_F16 = 1, CK_BF16 = 2 };

// Sums over elements, added to: squares of the source, of the decoded values, their product, squares of the difference.
typedef struct {
  double source_square, coded_square, product, error_square, largest_error;
} ck_error_sums;

// values: [rows, row_stride] of dtype, `columns` of each row used. codes: 64 * bits bytes a tile; scales: 16 a tile.
void ck_quantize_stripe_scalar(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes,
  uint16_t *scales, ck_error_sums *sums);
void ck_quantize_stripe(
  const void *values, int dtype, size_t row_stride, size_t rows, size_t columns, int bits, uint8_t *codes,
  uint16_t *scales, ck_error_sums *sums);

// out: [rows, row_stride] f32, `columns` of each row written.
void ck_decode_stripe_scalar(
  const uint8_t *codes, const uint16_t *scales, size_t rows, size_t columns, int bits, float *out, size_t row_stride);
void ck_decode_stripe(
  const uint8_t *codes, const uint16_t *scales, size_t rows, size_t columns, int bits, float *out, size_t row_stride);
// Values of a stripe as one half of a panel: panel[column * CK_PANEL_COLUMNS], 16 of each.
void ck_decode_panel(const uint8_t *codes, const uint16_t *scales, size_t columns, int bits, float *panel);

// Activations [row_count, columns] f32 to 8 bits: codes [row_count, groups, 32], a scale and a sum of codes a group.
void ck_quantize_activations(
  const float *x, size_t row_count, size_t columns, int8_t *codes, float *scales, int32_t *sums);

// output[m, n] = sum over k of activations[m, k] * weights[n, k], weights as ck_quantize_stripe leaves them.
typedef struct {
  const uint8_t *codes;             // tiles of 16 outputs x 32 columns, along the columns first
  const uint16_t *scales;           // [tiles down, groups, 16] f16
  const int8_t *activations;        // [row_count, group_count, 32]
  const float *activation_scales;   // [row_count, group_count]
  const int32_t *activation_sums;   // [row_count, group_count]
  float *output;                    // [row_count, output_stride], output_count of each row written
  size_t row_count, group_count, output_count, output_stride;
  int bits;
} ck_matmul;

// Outputs of the tiles [first_tile, last_tile).
void ck_matmul_tiles_scalar(const ck_matmul *p, size_t first_tile, size_t last_tile);
void ck_matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile);

// Comparison of two runs of f32 values, added to; start with zeros. Elements of which either is NaN or infinite stay out of the
// sums; those that also differ in bits are counted.
typedef struct {
  double square_a, square_b, product, error_square, largest_error;
  uint64_t largest_error_index, element_count, nonfinite_mismatch_count, changed_count;
} ck_diff;

void ck_diff_f32_scalar(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count);
void ck_diff_f32(ck_diff *diff, const uint32_t *a, const uint32_t *b, size_t count);

// Reads `byte_count` bytes, a multiple of 256, and gives a word that depends on all of them: what memory can give.
uint64_t ck_read_memory(const void *bytes, size_t byte_count);

// The blocked product. A panel holds 32 outputs, input after input: panel[k * 32 + n].
enum { CK_PANEL_COLUMNS = 32 };

// c[m, n] += sum over k of a[m, k] * panel[k, n], fused, in ascending k. `columns` is at most 32.
void ck_panel_product_scalar(
  const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,
  size_t columns);
void ck_panel_product(
  const float *a, size_t a_stride, size_t rows, const float *panel, size_t depth, float *c, size_t c_stride,
  size_t columns);

// panel[k, n] = b[n, k] of a matrix [columns, depth] of dtype; 0 where n is beyond `columns`.
void ck_pack_rows_scalar(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth);
void ck_pack_rows(float *panel, const void *b, int dtype, size_t stride, size_t columns, size_t depth);

// The same with bf16 on both sides and f32 sums; `depth` is even. A panel holds pairs of inputs:
// panel[(k / 2 * 32 + n) * 2 + k % 2].
void ck_pair_product_scalar(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns);
void ck_pair_product(
  const uint16_t *a, size_t a_stride, size_t rows, const uint16_t *panel, size_t depth, float *c, size_t c_stride,
  size_t columns);
// Packs rows [columns, depth] of bf16; where the depth is odd, the last pair ends in 0.
void ck_pack_pairs(uint16_t *panel, const uint16_t *b, size_t stride, size_t columns, size_t depth);
// One row of pairs from two rows of f32, narrowed.
void ck_pair_rows(uint16_t *out, const float *even, const float *odd, size_t count);

// panel[k, n] = b[k, n] of a matrix [depth, columns]; 0 where n is beyond `columns`.
void ck_pack_columns(float *panel, const float *b, size_t stride, size_t columns, size_t depth);

// out[n] += sum over k of w[n, k] * x[k], for one row x; w is [rows, stride] of dtype.
void ck_dot_rows(float *out, const void *w, int dtype, size_t stride, size_t rows, const float *x, size_t depth);

// Activation functions in place. e^x within 2 units in the last place; the others follow from it.
void ck_exp(float *x, size_t count);
void ck_silu(float *x, size_t count);
void ck_gelu(float *x, size_t count);
void ck_gelu_tanh(float *x, size_t count);
void ck_exp_scalar(float *x, size_t count);
void ck_silu_scalar(float *x, size_t count);
void ck_gelu_scalar(float *x, size_t count);
void ck_gelu_tanh_scalar(float *x, size_t count);

// out[i] = f(gate[i]) * value[i]; out may be gate or value.
void ck_silu_gate(float *out, const float *gate, const float *value, size_t count);
void ck_gelu_gate(float *out, const float *gate, const float *value, size_t count);

// x[i] += y[i];  x[i] += y[i] * factor[i];  x[i] = p * x[i] + q * y[i]
void ck_add(float *x, const float *y, size_t count);
void ck_multiply_add(float *x, const float *y, const float *factor, size_t count);
void ck_combine(float *x, float p, const float *y, float q, size_t count);

// Turns x[i] and x[half + i], or x[2 i] and x[2 i + 1], by the angle whose cosine and sine are given.
void ck_rotate_halves(float *x, const float *cosine, const float *sine, size_t half);
void ck_rotate_pairs(float *x, const float *cosine, const float *sine, size_t half);

// How many values are infinite or NaN.
uint64_t ck_count_nonfinite(const float *x, size_t count);

// Rows normalized; sums in f64. `scale` may be NULL: else the result is multiplied by 1 + scale. out may be in.
void ck_rms_norm(
  float *out, const float *in, const float *weight, const float *scale, size_t rows, size_t columns, float eps);
// `weight` and `bias` may both be NULL.
void ck_layer_norm(
  float *out, const float *in, const float *weight, const float *bias, const float *scale, size_t rows, size_t columns,
  float eps);

// Adds up each channel of [pixels, channels], and its squares.
void ck_channel_sums(double *sums, double *squares, const float *x, size_t pixels, size_t channels);
// out = in * scale + shift by channel, then SiLU where asked for.
void ck_scale_shift(
  float *out, const float *in, const float *scale, const float *shift, size_t pixels, size_t channels, int with_silu);

// One block of keys of a softmax over many blocks. Row m of `scores` counts `lengths[m]` of its `width` scores, the rest
// becomes 0; scores become e^(scale * (score - maximum)), the maximum renewed, and what was summed so far shrinks along.
void ck_softmax_block(
  float *scores, size_t stride, size_t rows, const size_t *lengths, size_t width, float scale, float *maxima,
  float *sums, float *output, size_t output_stride, size_t output_columns);

#endif

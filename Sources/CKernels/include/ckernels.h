// Inner loops in C. Nothing here allocates or checks: the Swift target Kernels does both before it calls.
// Names: ck_<verb>_<format>_<isa>. The _scalar form is the truth in tests.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Instruction sets found on this machine, as bits.
enum { CK_ISA_CRC32C = 1, CK_ISA_AVX2 = 2, CK_ISA_AVX512 = 4, CK_ISA_AVX512_VNNI = 8 };
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

#endif

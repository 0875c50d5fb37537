// Products of quantized weights with the dot instruction of ARMv8.2: a quarter of a line, four outputs x four columns, is
// its one operand, four activations in a lane of the other. Both are signed: codes of 4 bits are as they lie, those of 8
// bits once their upper bit is turned.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "../bodies/tile.h"

enum { QUARTERS = 4, MOST = 4 };

#define DOT_LANE(LANE)                                                                            \
  for (int m = 0; m < rows; m++)                                                                  \
    for (int q = 0; q < QUARTERS; q++) sum[m][q] = vdotq_laneq_s32(sum[m][q], weights[q], activations[m], LANE);

// Adds four columns of sixteen outputs, whose activations are in a lane of each row's vector.
BODY void add_columns(
  int32x4_t sum[MOST][QUARTERS], const int8x16_t *weights, const int8x16_t *activations, int lane, int rows) {
  switch (lane) {
    case 0: DOT_LANE(0) break;
    case 1: DOT_LANE(1) break;
    case 2: DOT_LANE(2) break;
    default: DOT_LANE(3) break;
  }
}
#undef DOT_LANE

// `rows` rows times a tile, over all groups. rows and bits are constants.
BODY void block(const ck_matmul *p, size_t m0, size_t tile, int rows, int bits) {
  size_t groups = p->run_count * p->run_groups;
  const uint8_t *codes = p->codes + tile * groups * tile_bytes(bits);
  const uint16_t *scales = p->scales + tile * groups * TILE_ROWS;
  float32x4_t total[MOST][QUARTERS];
  for (int m = 0; m < rows; m++)
    for (int q = 0; q < QUARTERS; q++) total[m][q] = vdupq_n_f32(0);
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = m0 * p->row_stride + p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups; at++, codes += tile_bytes(bits), scales += TILE_ROWS) {
      int32x4_t sum[MOST][QUARTERS];
      for (int m = 0; m < rows; m++) {
        // Signed codes of 8 bits have no offset left.
        int32_t start = bits == 8 ? 0 : -code_offset(bits) * p->activation_sums[at + m * p->row_stride];
        for (int q = 0; q < QUARTERS; q++) sum[m][q] = vdupq_n_s32(start);
      }
      for (int half = 0; half < 2; half++) {
        int8x16_t activations[MOST];
        for (int m = 0; m < rows; m++)
          activations[m] = vld1q_s8(p->activations + (at + m * p->row_stride) * TILE_COLUMNS + half * 16);
        for (int lane = 0; lane < 4; lane++) {
          int8x16_t weights[QUARTERS];
          // At 4 bits the low nibbles of a line are its first four columns, the high ones the others.
          const uint8_t *line = codes + (bits == 8 ? half * 4 + lane : half * 2 + lane / 2) * 64;
          for (int q = 0; q < QUARTERS; q++) {
            uint8x16_t bytes = vld1q_u8(line + q * 16);
            if (bits == 8) bytes = veorq_u8(bytes, vdupq_n_u8(0x80));
            else bytes = lane % 2 ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15));
            weights[q] = vreinterpretq_s8_u8(bytes);
          }
          add_columns(sum, weights, activations, lane, rows);
        }
      }
      for (int q = 0; q < QUARTERS; q++) {
        float32x4_t scale = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(scales + q * 4)));
        for (int m = 0; m < rows; m++) {
          float32x4_t both = vmulq_n_f32(scale, p->activation_scales[at + m * p->row_stride]);
          total[m][q] = vfmaq_f32(total[m][q], vcvtq_f32_s32(sum[m][q]), both);
        }
      }
    }
  }
  for (int m = 0; m < rows; m++) {
    float out[TILE_ROWS];
    for (int q = 0; q < QUARTERS; q++) vst1q_f32(out + q * 4, total[m][q]);
    size_t output = tile * TILE_ROWS, left = p->output_count - output;
    memcpy(
      p->output + (m0 + m) * p->output_stride + output, out, (left < TILE_ROWS ? left : TILE_ROWS) * sizeof(float));
  }
}

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(ROWS)                                                                                   \
  __attribute__((noinline)) static void block_##ROWS(const ck_matmul *p, size_t m, size_t tile) { \
    if (p->bits == 8) block(p, m, tile, ROWS, 8);                                                     \
    else block(p, m, tile, ROWS, 4);                                                                  \
  }
BLOCK(4)
BLOCK(2)
BLOCK(1)
#undef BLOCK

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  for (size_t tile = first_tile; tile < last_tile; tile++) {
    size_t m = 0;
    for (; p->row_count - m >= 4; m += 4) block_4(p, m, tile);
    if (p->row_count - m >= 2) {
      block_2(p, m, tile);
      m += 2;
    }
    if (m < p->row_count) block_1(p, m, tile);
  }
}

enum { DOT_BYTES = 16, DOT_PRODUCTS = 4 };
#define ADD_GROUP(SUM, X, Y) vdotq_s32((int32x4_t)(SUM), (int8x16_t)(X), (int8x16_t)(Y))
#include "../bodies/peak_dots.h"

void ck_fill_neon_dots(ck_table *table) {
  table->matmul_tiles = matmul_tiles;
  table->repeat_dots = repeat_dots;
}

#pragma clang attribute pop
#endif

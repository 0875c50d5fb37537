// Products of quantized weights with the matrix multiply of ARMv8.6: two outputs x two rows of activations over eight
// columns, 32 multiply-adds an instruction. Codes are the unsigned operand, as they lie.
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../bodies/common.h"
#include "../fills.h"

#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to = function)

#include "../bodies/tile.h"

// Six rows x half a tile: 12 vectors of sums, 12 of totals, 4 of weights and 2 of activations are 30 of 32 registers.
// A group is then 48 matrix multiplies, 16 zips of weights (and 16 cuts of nibbles at 4 bits), 12 joins of activations
// and 36 operations of floats: moves aside, 2.3 vector instructions for 32 multiply-adds (2.7 at 4 bits), where the dot
// instruction takes 3.3 for four rows x a tile. LLVM's model of a Neoverse N2 makes 23 (20) multiply-adds a cycle of it
// and 15 of the other; nothing was measured.
enum { OUTPUTS = 8, OUTPUT_PAIRS = 4, MOST_ROW_PAIRS = 3 };

// The float 1.5 x 2^23 and its bits: there a float grows by one as its bits do. The sums of a group stay within 2^19,
// so those that begin at these bits become floats by one exact subtraction; a conversion holds its pipe for longer.
#define BIAS 0x1.8p23f
enum { BIAS_BITS = 0x4B400000 };

// Two words, twice: one for each lane of a row, the lanes of a vector being (output, row) 00, 01, 10, 11.
BODY uint64x2_t of_rows(uint32_t first, uint32_t second) { return vdupq_n_u64(first | (uint64_t)second << 32); }

// Eight columns of four outputs, two and two. Two lines hold them at 8 bits, the low and the high nibbles of one at 4.
BODY uint32x4x2_t four_outputs(const uint8_t *codes, int bits) {
  uint8x16_t bytes = vld1q_u8(codes);
  uint8x16_t first = bits == 8 ? bytes : vandq_u8(bytes, vdupq_n_u8(15));
  uint8x16_t second = bits == 8 ? vld1q_u8(codes + 64) : vshrq_n_u8(bytes, 4);
  return vzipq_u32(vreinterpretq_u32_u8(first), vreinterpretq_u32_u8(second));
}

// `pairs` pairs of rows times half a tile, over all groups. pairs and bits are constants.
BODY void block(const ck_matmul *p, size_t row, size_t output, int pairs, int bits) {
  size_t groups = p->run_count * p->run_groups, tile = output / TILE_ROWS, within = output % TILE_ROWS;
  const uint8_t *codes = p->codes + tile * groups * tile_bytes(bits) + within * 4;
  const uint16_t *scales = p->scales + tile * groups * TILE_ROWS + within;
  size_t rows[MOST_ROW_PAIRS][2];  // groups from the first row
  float32x4_t total[MOST_ROW_PAIRS][OUTPUT_PAIRS];
  for (int i = 0; i < pairs; i++) {
    rows[i][0] = (row + i * 2) * p->row_stride;
    // A row that is left over is its own partner.
    rows[i][1] = rows[i][0] + (row + i * 2 + 1 < p->row_count ? p->row_stride : 0);
    for (int n = 0; n < OUTPUT_PAIRS; n++) total[i][n] = vdupq_n_f32(0);
  }
  for (size_t run = 0; run < p->run_count; run++) {
    size_t first = p->run_offsets[run];
    for (size_t at = first; at < first + p->run_groups; at++, codes += tile_bytes(bits), scales += TILE_ROWS) {
      int32x4_t sum[MOST_ROW_PAIRS][OUTPUT_PAIRS];
      for (int i = 0; i < pairs; i++) {
        int32_t even = BIAS_BITS - code_offset(bits) * p->activation_sums[at + rows[i][0]];
        int32_t odd = BIAS_BITS - code_offset(bits) * p->activation_sums[at + rows[i][1]];
        for (int n = 0; n < OUTPUT_PAIRS; n++) sum[i][n] = vreinterpretq_s32_u64(of_rows(even, odd));
      }
      // Unrolled, it would load so far ahead that the registers do not suffice.
      _Pragma("clang loop unroll(disable)") for (int eight = 0; eight < TILE_COLUMNS / 8; eight++) {
        const uint8_t *line = codes + eight * TILE_ROWS * bits;
        uint32x4x2_t weights[2] = {four_outputs(line, bits), four_outputs(line + 16, bits)};
        for (int i = 0; i < pairs; i++) {
          int8x16_t activations = vcombine_s8(
            vld1_s8(p->activations + (at + rows[i][0]) * TILE_COLUMNS + eight * 8),
            vld1_s8(p->activations + (at + rows[i][1]) * TILE_COLUMNS + eight * 8));
          for (int n = 0; n < OUTPUT_PAIRS; n++)
            sum[i][n] = vusmmlaq_s32(sum[i][n], vreinterpretq_u8_u32(weights[n / 2].val[n % 2]), activations);
        }
      }
      float32x4_t scale[2];
      for (int q = 0; q < 2; q++) scale[q] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(scales + q * 4)));
      float32x4x2_t twice[2] = {vzipq_f32(scale[0], scale[0]), vzipq_f32(scale[1], scale[1])};
      for (int i = 0; i < pairs; i++) {
        uint32_t even = bits_of_float(p->activation_scales[at + rows[i][0]]);
        uint32_t odd = bits_of_float(p->activation_scales[at + rows[i][1]]);
        for (int n = 0; n < OUTPUT_PAIRS; n++) {
          float32x4_t both = vmulq_f32(twice[n / 2].val[n % 2], vreinterpretq_f32_u64(of_rows(even, odd)));
          float32x4_t exact = vsubq_f32(vreinterpretq_f32_s32(sum[i][n]), vdupq_n_f32(BIAS));
          total[i][n] = vfmaq_f32(total[i][n], exact, both);
        }
      }
    }
  }
  size_t left = p->output_count - output, width = left < OUTPUTS ? left : OUTPUTS;
  for (int i = 0; i < pairs; i++) {
    float out[2][OUTPUTS];
    for (int q = 0; q < 2; q++) {
      vst1q_f32(out[0] + q * 4, vuzp1q_f32(total[i][q * 2], total[i][q * 2 + 1]));
      vst1q_f32(out[1] + q * 4, vuzp2q_f32(total[i][q * 2], total[i][q * 2 + 1]));
    }
    for (size_t m = 0; m < 2 && row + i * 2 + m < p->row_count; m++)
      memcpy(p->output + (row + i * 2 + m) * p->output_stride + output, out[m], width * sizeof(float));
  }
}

// Each shape is a function of its own: together they would be too large to be compiled well.
#define BLOCK(NAME, PAIRS)                                                                    \
  __attribute__((noinline)) static void NAME(const ck_matmul *p, size_t row, size_t output) { \
    if (p->bits == 8) block(p, row, output, PAIRS, 8);                                        \
    else block(p, row, output, PAIRS, 4);                                                     \
  }
BLOCK(three_pairs, 3)
BLOCK(two_pairs, 2)
#undef BLOCK

// The level below.
static void (*few_rows)(const ck_matmul *p, size_t first_tile, size_t last_tile);

static void matmul_tiles(const ck_matmul *p, size_t first_tile, size_t last_tile) {
  // One row would fill half of each instruction, and two are too few for the weights to be worth a zip.
  if (p->row_count <= 2) {
    few_rows(p, first_tile, last_tile);
    return;
  }
  // Two pairs or three at a time, never one: blocks are of nearly equal height.
  size_t pairs = (p->row_count + 1) / 2, blocks = (pairs + MOST_ROW_PAIRS - 1) / MOST_ROW_PAIRS;
  size_t end = last_tile * TILE_ROWS < p->output_count ? last_tile * TILE_ROWS : p->output_count;
  for (size_t output = first_tile * TILE_ROWS; output < end; output += OUTPUTS)
    for (size_t b = 0; b < blocks; b++) {
      size_t first = pairs * b / blocks, last = pairs * (b + 1) / blocks;
      (last - first == 3 ? three_pairs : two_pairs)(p, first * 2, output);
    }
}

enum { DOT_BYTES = 16, DOT_PRODUCTS = 8 };
#define ADD_GROUP(SUM, X, Y) vmmlaq_s32((int32x4_t)(SUM), (int8x16_t)(X), (int8x16_t)(Y))
#include "../bodies/peak_dots.h"

void ck_fill_neon_i8mm(ck_table *table) {
  table->repeat_dots = repeat_dots;
  few_rows = table->matmul_tiles;
  table->matmul_tiles = matmul_tiles;
}

#pragma clang attribute pop
#endif

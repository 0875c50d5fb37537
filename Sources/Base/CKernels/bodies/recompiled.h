// All that is the same C for every processor and gains from being compiled for more instructions.
#include "activation_functions.h"
#include "activation_groups.h"
#include "book_decoding.h"
#include "book_feedback.h"
#include "book_product.h"
#include "book_quantization.h"
#include "book_row.h"
#include "channels.h"
#include "conversions.h"
#include "differences.h"
#include "elementwise.h"
#include "group_decoding.h"
#include "group_feedback.h"
#include "group_product.h"
#include "group_quantization.h"
#include "group_row.h"
#include "memory.h"
#include "norms.h"
#include "packing.h"
#include "pair_product.h"
#include "peaks.h"
#include "row_product.h"
#include "softmax.h"
#include "softmax_codes.h"
#include "statistics.h"
#include "synthetic.h"
#include "tile_rounding.h"

static void fill_recompiled(ck_table *table) {
  table->stats_bf16 = stats_bf16;
  table->stats_f16 = stats_f16;
  table->stats_f32 = stats_f32;
  table->diff_f32 = diff_f32;
  table->count_nonfinite = count_nonfinite;
  table->read_memory = read_memory;
  table->widen_bf16_f32 = widen_bf16_f32;
  table->widen_f16_f32 = widen_f16_f32;
  table->narrow_f32_bf16 = narrow_f32_bf16;
  table->narrow_f32_f16 = narrow_f32_f16;
  table->fill_normal_bf16 = fill_normal_bf16;
  table->exp = exp;
  table->silu = silu;
  table->gelu = gelu;
  table->gelu_tanh = gelu_tanh;
  table->silu_gate = silu_gate;
  table->gelu_gate = gelu_gate;
  table->sum_two = sum_two;
  table->sum_three = sum_three;
  table->multiply_add = multiply_add;
  table->combine = combine;
  table->rotate_halves = rotate_halves;
  table->rotate_pairs = rotate_pairs;
  table->rms_norm = rms_norm;
  table->layer_norm = layer_norm;
  table->channel_sums = channel_sums;
  table->scale_shift = scale_shift;
  table->softmax_block = softmax_block;
  table->softmax_codes = softmax_codes;
  table->quantize_stripe = quantize_stripe;
  table->quantize_guided_stripe = quantize_guided_stripe;
  table->decode_stripe = decode_stripe;
  table->decode_panel = decode_panel;
  table->quantize_activations = quantize_activations;
  table->round_rows = round_rows;
  table->round_columns = round_columns;
  table->matmul_tiles = matmul_tiles;
  table->multiply_row = multiply_row;
  table->quantize_book_stripe = quantize_book_stripe;
  table->feed_back_book_stripe = feed_back_book_stripe;
  table->decode_book_stripe = decode_book_stripe;
  table->decode_book_panel = decode_book_panel;
  table->book_tiles = book_tiles;
  table->multiply_book_row = multiply_book_row;
  table->pack_rows = pack_rows;
  table->pack_columns = pack_columns;
  table->pair_product = pair_product;
  table->pack_pairs = pack_pairs;
  table->pair_rows = pair_rows;
  table->dot_rows = dot_rows;
  table->repeat_fma = repeat_fma;
  table->repeat_pairs = repeat_pairs;
  table->repeat_dots = repeat_dots;
}

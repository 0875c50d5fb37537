/// What each C function means, in the simplest Swift there is: one element after another, other algorithms where there are some.
enum Twin {
  /// The twin of each function of the table, by the function's name.
  static var all: [String: Any] {
    [
      "crc32c": crc32c, "stats_bf16": statistics, "stats_f16": statistics, "stats_f32": statistics,
      "diff_f32": difference, "count_nonfinite": nonfiniteCount, "read_memory": exclusiveOr,
      "widen_bf16_f32": widenBF16, "widen_f16_f32": widenF16, "narrow_f32_bf16": narrowBF16,
      "narrow_f32_f16": narrowF16, "fill_normal_bf16": normalFill, "exp": exponential, "silu": silu, "gelu": gelu,
      "gelu_tanh": geluTanh, "silu_gate": siluGate, "gelu_gate": geluGate, "sum_two": sumTwo, "sum_three": sumThree,
      "multiply_add": multiplyAdd,
      "combine": combine, "rotate_halves": rotateHalves, "rotate_pairs": rotatePairs, "rms_norm": rmsNorm,
      "layer_norm": layerNorm, "channel_sums": channelSums, "scale_shift": scaleShift, "softmax_block": softmax,
      "softmax_codes": softmax, "round_rows": roundGroup, "round_columns": roundGroup,
      "quantize_stripe": quantizeStripe, "quantize_guided_stripe": quantizeGuidedStripe,
      "decode_stripe": decodeStripe, "decode_panel": decodePanel,
      "quantize_activations": quantizeActivations, "matmul_tiles": groupProduct, "multiply_row": multiplyRow,
      "quantize_book_stripe": quantizeBookStripe, "feed_back_book_stripe": feedBackBookStripe,
      "decode_book_stripe": decodeBookStripe, "decode_book_panel": decodeBookPanel, "book_tiles": bookProduct,
      "multiply_book_row": multiplyBookRow, "panel_product": panelProduct, "pack_rows": packRows,
      "pack_columns": packColumns, "pair_product": pairProduct, "pack_pairs": packPairs, "pair_rows": pairRows,
      "dot_rows": dotRows, "repeat_fma": multiplyAdds, "repeat_pairs": multiplyAdds, "repeat_dots": multiplyAdds,
    ]
  }
}

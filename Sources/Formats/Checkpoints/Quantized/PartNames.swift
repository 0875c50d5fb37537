import Tensors

/// Tells tensors that are no weights by themselves by their names: parts of other programs' encodings, and state of a training run.
enum PartNames {
  /// The parts in which a program stores a tensor: endings behind a common stem.
  struct Layout {
    let program: String
    /// All of these are there where it is this program's; none where names alone do not tell.
    let marks: [String]
    let parts: [String]
  }

  static let layouts: [Layout] = [
    Layout(program: "GPTQ", marks: [".qweight", ".g_idx"], parts: [".qweight", ".qzeros", ".scales", ".g_idx"]),
    Layout(program: "EETQ", marks: [".qweight", ".weight_scales"], parts: [".qweight", ".weight_scales"]),
    Layout(program: "AWQ or GPTQ", marks: [".qweight"], parts: [".qweight", ".qzeros", ".scales"]),
    Layout(
      program: "ExLlamaV2", marks: [".q_weight"],
      parts: [".q_weight", ".q_scale", ".q_scale_max", ".q_groups", ".q_group_map", ".q_perm", ".q_invperm"]),
    Layout(
      program: "HQQ", marks: [".W_q"],
      parts: [
        ".W_q", ".scale", ".zero", ".meta", ".nbits", ".group_size", ".axis", ".shape", ".packing",
        ".unpack_view_dtype",
      ]),
    Layout(program: "AQLM", marks: [".codes", ".codebooks"], parts: [".codes", ".codebooks", ".scales"]),
    Layout(
      program: "QuIP#", marks: [".Qidxs"],
      parts: [".Qidxs", ".SU", ".SV", ".Wscale", ".codebook_id", ".had_left", ".had_right"]),
    Layout(program: "Quanto", marks: ["._data", "._scale"], parts: ["._data", "._scale", "._shift", "._packed"]),
    Layout(program: "MXFP4", marks: ["_blocks", "_scales"], parts: ["_blocks", "_scales"]),
    Layout(
      program: "ModelOpt", marks: [".weight_scale_2"],
      parts: [".weight", ".weight_scale", ".weight_scale_2", ".input_scale"]),
    Layout(
      program: "compressed-tensors", marks: [".weight_packed"],
      parts: [
        ".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_shape", ".weight_g_idx",
        ".weight_global_scale",
        ".input_scale", ".input_zero_point", ".input_global_scale",
      ]),
    Layout(
      program: "compressed-tensors", marks: [".weight_scale"],
      parts: [
        ".weight", ".weight_scale", ".weight_zero_point", ".weight_g_idx", ".weight_global_scale", ".input_scale",
        ".input_zero_point", ".input_global_scale",
      ]),
    Layout(
      program: "float8 by blocks", marks: [".weight_scale_inv"],
      parts: [".weight", ".weight_scale_inv", ".input_scale"]),
    Layout(
      program: "ComfyUI", marks: [".scale_weight"], parts: [".weight", ".scale_weight", ".scale_input"]),
    Layout(program: "bitsandbytes", marks: [".absmax"], parts: codebookParts),
    Layout(program: "bitsandbytes", marks: [".quant_state.bitsandbytes__nf4"], parts: codebookParts),
    Layout(program: "bitsandbytes", marks: [".quant_state.bitsandbytes__fp4"], parts: codebookParts),
    Layout(program: "bitsandbytes", marks: [".SCB"], parts: [".weight", ".SCB", ".weight_format"]),
    Layout(program: "MLX", marks: [], parts: [".weight", ".scales", ".biases"]),
  ]

  private static let codebookParts = [
    "", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".quant_state.bitsandbytes__nf4",
    ".quant_state.bitsandbytes__fp4",
  ]

  /// Endings that say by themselves what a tensor is: nothing that a network's weights are called.
  private static let alone: [(ending: String, program: String)] = [
    (".input_scale", scales), (".scale_input", scales), (".output_scale", scales), (".k_scale", scales),
    (".v_scale", scales), (".q_scale", scales), (".input_zero_point", scales), (".input_global_scale", scales),
    (".weight_scale", scales), (".weight_zero_point", scales), (".weight_global_scale", scales),
    (".weight_scale_inv", scales),
    (".scale_weight", scales), (".weight_format", scales), (".exp_avg", optimizer), (".exp_avg_sq", optimizer),
    (".max_exp_avg_sq", optimizer), (".momentum_buffer", optimizer),
  ]
  private static let scales = "scales of quantized values"
  private static let optimizer = "the state of an optimizer"

  /// Whole names that mark a file.
  private static let markers: [(name: String, program: String)] = [("scaled_fp8", "ComfyUI")]

  private static let endings: [[UInt8]] =
    (layouts.flatMap(\.parts) + alone.map(\.ending)).filter { !$0.isEmpty && $0 != ".weight" }.map { Array($0.utf8) }

  /// Whether a name may be that of a part. Few names of weights are.
  static func mayBe(_ name: [UInt8]) -> Bool {
    endings.contains { name.count >= $0.count && name[(name.count - $0.count)...].elementsEqual($0) }
      || markers.contains { $0.name.utf8.elementsEqual(name) }
  }

  /// The names of the parts with a stem, of all layouts.
  static func siblings(_ stem: [UInt8]) -> [TensorName] {
    Set(layouts.flatMap(\.parts)).map { TensorName(utf8: stem + Array($0.utf8)) }
  }

  /// What tensors are parts of, by place in a list of names.
  static func found(in names: [TensorName]) -> [Int: String] {
    var places: [TensorName: Int] = [:]
    for (place, name) in names.enumerated() { places[name] = place }
    var found: [Int: String] = [:]
    // A layout that says more comes first.
    for layout in layouts {
      for name in names {
        guard let mark = layout.marks.first, QuantizedParts.ends(name.utf8, mark) else { continue }
        let stem = Array(name.utf8.dropLast(mark.utf8.count))
        func sibling(_ ending: String) -> Int? { places[TensorName(utf8: stem + Array(ending.utf8))] }
        guard layout.marks.allSatisfy({ sibling($0) != nil }) else { continue }
        for part in layout.parts.compactMap(sibling) where found[part] == nil { found[part] = layout.program }
      }
    }
    for (place, name) in names.enumerated() where found[place] == nil {
      found[place] =
        alone.first { QuantizedParts.ends(name.utf8, $0.ending) }?.program
        ?? markers.first { $0.name.utf8.elementsEqual(name.utf8) }?.program
    }
    return found
  }
}

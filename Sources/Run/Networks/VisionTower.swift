import Foundation
import Kernels
import NetworkRuntime

/// Where the patches of a picture go: the order of windows, and the cuts between them.
///
/// Tokens are cells of merged patches. Windows go row by row over the picture, ragged ones at its right and lower edge keep
/// the cells that there are.
public struct WindowOrder: Sendable, Equatable {
  /// The cell of the picture, row by row, that stands at each place of the window order.
  public let cells: [Int]
  /// Where windows start and the last ends, in patches.
  public let cuts: [Int]

  /// - Parameters:
  ///   - rows, columns: cells of the picture.
  ///   - side: cells of a window, a side.
  ///   - patches: patches of a cell.
  public init(rows: Int, columns: Int, side: Int, patches: Int) {
    var cells: [Int] = []
    var cuts = [0]
    for top in stride(from: 0, to: rows, by: side) {
      for left in stride(from: 0, to: columns, by: side) {
        for row in top..<min(rows, top + side) {
          for column in left..<min(columns, left + side) { cells.append(row * columns + column) }
        }
        cuts.append(cells.count * patches)
      }
    }
    self.cells = cells
    self.cuts = cuts
  }
}

/// The Qwen2.5-VL vision tower: window attention, a few blocks over the whole picture, 2D rotary angles, a merger.
///
/// Source: Qwen2.5-VL technical report; transformers, modeling_qwen2_5_vl.
public struct VisionTower: Sendable {
  package let prefix: String
  package struct Block: Sendable {
    package let path: String
    package let norm1, norm2: RMSNorm
    package let qkv, proj: Linear
    package let attention: Attention
    package let feedForward: GatedFeedForward
    package let parts: [String]
    package let qRotation, kRotation: String

    package init(_ source: any WeightSource, _ path: String, _ config: VisionConfig) throws {
      self.path = path
      let (hidden, width) = (config.hiddenSize, config.intermediateSize)
      norm1 = try RMSNorm(source, path + ".norm1", channels: hidden, epsilon: 1e-6)
      norm2 = try RMSNorm(source, path + ".norm2", channels: hidden, epsilon: 1e-6)
      qkv = try Linear(source, path + ".attn.qkv", inputs: hidden, outputs: 3 * hidden)
      proj = try Linear(source, path + ".attn.proj", inputs: hidden, outputs: hidden)
      attention = Attention(path: path + ".attn.attention", heads: config.headCount)
      feedForward = try GatedFeedForward(source, path + ".mlp", width: hidden, inner: width, hasBias: true)
      parts = ["q", "k", "v"].map { path + ".attn." + $0 }
      qRotation = path + ".attn.rotate_q"
      kRotation = path + ".attn.rotate_k"
    }
  }

  public let config: VisionConfig
  package let patch: Linear
  package let blocks: [Block]
  package let mergerNorm: RMSNorm
  package let merger: (Linear, Linear)

  /// - Parameter prefix: of the weights' names, and of the operations' paths: `llm` for `llm.norm.weight`.
  public init(_ source: any WeightSource, prefix: String, _ config: VisionConfig) throws {
    self.prefix = prefix
    self.config = config
    let weight = try source.weight(
      "\(prefix).patch_embed.proj.weight",
      shape: [config.hiddenSize, config.channels, config.temporalPatchSize, config.patchSize, config.patchSize])
    patch = Linear(path: "\(prefix).patch_embed.proj", weight: weight)
    blocks = try (0..<config.depth).map { try Block(source, "\(prefix).blocks.\($0)", config) }
    mergerNorm = try RMSNorm(source, "\(prefix).merger.ln_q", channels: config.hiddenSize, epsilon: 1e-6)
    let merged = config.hiddenSize * config.mergeSize * config.mergeSize
    merger = (
      try Linear(source, "\(prefix).merger.mlp.0", inputs: merged, outputs: merged),
      try Linear(source, "\(prefix).merger.mlp.2", inputs: merged, outputs: config.outputSize)
    )
  }

  public func windows(rows: Int, columns: Int) -> WindowOrder {
    WindowOrder(
      rows: rows / config.mergeSize, columns: columns / config.mergeSize, side: config.windowTokens,
      patches: config.mergeSize * config.mergeSize)
  }

  /// Angles of patches in window order: half of a head's pairs turn by the row, half by the column.
  private func rotary(_ run: Execution, rows: Int, columns: Int, _ order: WindowOrder) -> RotaryTable {
    let half = config.headWidth / 2
    let quarter = half / 2
    let frequencies = (0..<quarter).map { 1 / Float(pow(10_000, Double(2 * $0) / Double(half))) }
    let cosine = run.take(width: rows * columns, channels: half)
    let sine = run.take(like: cosine)
    run.fill(cosine) { cosines in
      let merge = config.mergeSize
      for (place, cell) in order.cells.enumerated() {
        for part in 0..<merge * merge {
          let row = cell / (columns / merge) * merge + part / merge
          let column = cell % (columns / merge) * merge + part % merge
          let start = (place * merge * merge + part) * half
          for index in 0..<half {
            let angle = Float(index < quarter ? row : column) * frequencies[index % quarter]
            cosines[start + index] = cos(angle)
            sine.values[start + index] = sin(angle)
          }
        }
      }
    }
    return RotaryTable(cosine: cosine, sine: sine, pairing: .halves)
  }

  /// Tokens of one picture for the language model.
  /// - Parameters:
  ///   - pixels: `[rows * columns, patchWidth]`, cell by cell, the patches of a cell row by row.
  ///   - rows, columns: patches of the picture, multiples of the merge size.
  ///   - out: `[cells, outputSize]`, cells row by row, overwritten.
  public func forward(_ run: Execution, _ pixels: Activation, rows: Int, columns: Int, into out: Activation) throws {
    let order = windows(rows: rows, columns: columns)
    let patches = config.mergeSize * config.mergeSize
    let embedded = run.take(like: pixels, channels: config.hiddenSize)
    try run.linear(patch, pixels, into: embedded)
    let x = run.take(like: embedded)
    try run.gather("\(prefix).window_order", embedded, order.cells, grain: patches, into: x)
    run.give(embedded)
    let table = rotary(run, rows: rows, columns: columns, order)
    let normed = run.take(like: x)
    for (number, block) in blocks.enumerated() {
      let isFull = config.fullAttentionBlocks.contains(number)
      try run.norm(block.norm1, x, into: normed)
      let parts = (0..<3).map { _ in run.take(like: x) }
      for first in stride(from: 0, to: x.pixelCount, by: block.feedForward.pieceLength) {
        let tokens = first..<min(x.pixelCount, first + block.feedForward.pieceLength)
        let all = run.take(width: tokens.count, channels: 3 * config.hiddenSize)
        try run.linear(block.qkv, normed.tokens(tokens), into: all)
        for part in 0..<3 {
          try run.part(block.parts[part], of: all, number: part, into: parts[part].tokens(tokens))
        }
        run.give(all)
      }
      try run.rotate(block.qRotation, parts[0], by: table, heads: config.headCount)
      try run.rotate(block.kRotation, parts[1], by: table, heads: config.headCount)
      try run.attend(
        block.attention, q: parts[0], k: parts[1], v: parts[2], cuts: isFull ? nil : order.cuts, into: parts[0])
      try run.linear(block.proj, parts[0], plus: x, into: x)
      parts.forEach(run.give)
      try run.norm(block.norm2, x, into: normed)
      try block.feedForward.forward(run, normed, addingTo: x)
      try run.emit(block.path, x)
    }
    run.give(table.cosine)
    run.give(table.sine)
    try run.norm(mergerNorm, x, into: normed)
    run.give(x)
    // The patches of a cell lie one after another: one row of the merger.
    let cells = Activation(normed.base, width: order.cells.count, channels: patches * config.hiddenSize)
    let inner = run.take(like: cells)
    try run.linear(merger.0, cells, into: inner)
    try run.apply(.gelu, "\(prefix).merger.gelu", to: inner)
    let merged = run.take(like: out)
    try run.linear(merger.1, inner, into: merged)
    run.give(inner)
    run.give(normed)
    var places = order.cells
    for (place, cell) in order.cells.enumerated() { places[cell] = place }
    try run.gather("\(prefix).image_order", merged, places, grain: 1, into: out)
    run.give(merged)
  }
}

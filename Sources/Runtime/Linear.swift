import Kernels

/// `y = x W^T + b`.
public struct Linear: Sendable {
  public let path: String
  public let weight: Weight
  public let bias: Vector?

  /// - Parameter path: name of the tensors before `.weight` and `.bias`.
  public init(_ source: any WeightSource, _ path: String, inputs: Int, outputs: Int, hasBias: Bool = true) throws {
    self.path = path
    weight = try source.weight(path + ".weight", shape: [outputs, inputs])
    bias = hasBias ? try source.vector(path + ".bias", shape: [outputs]) : nil
  }

  /// A layer over a weight that bears another name, such as a head that is the embedding.
  public init(path: String, weight: Weight, bias: Vector? = nil) {
    self.path = path
    self.weight = weight
    self.bias = bias
  }
}

extension Execution {
  /// Inputs that are packed at once: a panel of them stays in the second-level cache beside the activations.
  static let depth = 512
  /// Rows that one item multiplies.
  private static let rowLimit = 512
  /// Panels of an item at the most.
  static let groupLimit = 8
  /// Where an item's sums lie in its memory: behind decoded weights and panels.
  private static let sumsOffset = 2 * depth * groupLimit * PanelProduct.columns

  /// `out = x W^T + b`, plus a residual.
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - residual: like `out`; may be `out`.
  ///   - out: `[rows, outputs]`, overwritten.
  public func linear(_ layer: Linear, _ x: Activation, plus residual: Activation? = nil, into out: Activation) throws {
    let weight = layer.weight
    precondition(x.channels == weight.inputs && out.channels == weight.outputs && x.rowCount == out.rowCount)
    precondition(residual.map { $0.count == out.count } ?? true)
    let memory =
      products == .bf16 && x.rowCount > 1
      ? take(batch: x.batch, height: x.height, width: x.width, channels: (x.channels + 1) / 2) : nil
    defer { if let memory { give(memory) } }
    try perform(
      NetworkOperation(
        path: layer.path, kind: .linear, operationCount: 2 * x.rowCount * weight.inputs * weight.outputs,
        weightByteCount: weight.byteCount, activationByteCount: x.byteCount + out.byteCount * (residual == nil ? 1 : 2)),
      output: out, prepare: weight
    ) {
      if x.rowCount == 1 { return multiplyRow(layer, x, plus: residual, into: out) }
      let narrow = memory.map { narrowed(x, $0) }
      let rowBlocks = (x.rowCount + Self.rowLimit - 1) / Self.rowLimit
      let panels = (weight.outputs + PanelProduct.columns - 1) / PanelProduct.columns
      // Enough items for all threads, panels side by side so that they share the rows of x in the cache.
      // OpenBLAS may round otherwise for other cuts: there the cut is fixed.
      let group = blas == nil ? max(1, min(Self.groupLimit, panels * rowBlocks / (4 * threadCount))) : Self.groupLimit
      let groups = (panels + group - 1) / group
      parallel(rowBlocks * groups) { [blas] item, scratch in
        let rows = item / groups * Self.rowLimit..<min(x.rowCount, (item / groups + 1) * Self.rowLimit)
        let first = item % groups * group * PanelProduct.columns
        let outputs = first..<min(weight.outputs, first + group * PanelProduct.columns)
        let sums = ProductSums(scratch + Self.sumsOffset, rows: rows.count, outputs: outputs)
        if let narrow {
          Self.multiplyPairs(weight, narrow, rows, outputs, into: sums, scratch)
        } else if let blas {
          Self.multiply(blas, weight, x, rows, outputs, into: sums, scratch)
        } else {
          Self.multiply(weight, x, rows, outputs, into: sums, scratch)
        }
        for row in rows {
          sums.finish(row - rows.lowerBound, out: out.row(row), residual: residual?.row(row), bias: layer.bias)
        }
      }
    }
  }

  /// One row, such as a token that is decoded: the weights' bytes set the pace, whatever the precision.
  private func multiplyRow(_ layer: Linear, _ x: Activation, plus residual: Activation?, into out: Activation) {
    let weight = layer.weight
    let run = 64
    parallel((weight.outputs + run - 1) / run) { item, scratch in
      let outputs = item * run..<min(weight.outputs, (item + 1) * run)
      let sums = ProductSums(scratch + Self.sumsOffset, rows: 1, outputs: outputs)
      weight.multiplyRow(
        firstOutput: outputs.lowerBound, count: outputs.count, x: x.base, out: sums.base, scratch: scratch)
      sums.finish(0, out: out.base, residual: residual?.base, bias: layer.bias)
    }
  }

  /// Rows of bf16, in memory that is taken beforehand.
  struct NarrowRows: @unchecked Sendable {
    // Unchecked: written before it is shared.
    let base: UnsafeMutablePointer<UInt16>
    /// Elements from row to row: even.
    let stride: Int
  }

  private func narrowed(_ x: Activation, _ memory: Activation) -> NarrowRows {
    let stride = 2 * memory.channels
    let base = UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: UInt16.self)
    let rows = NarrowRows(base: base, stride: stride)
    parallelRows(x.rowCount, columns: x.channels) { range in
      for row in range {
        ElementCast.narrow(count: x.channels, from: x.row(row), to: rows.base + row * stride, .bf16)
        if x.channels < stride { rows.base[row * stride + x.channels] = 0 }
      }
    }
    return rows
  }

  private static func multiplyPairs(
    _ weight: Weight, _ x: NarrowRows, _ rows: Range<Int>, _ outputs: Range<Int>, into sums: ProductSums,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let panel = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UInt16.self)
    let decoded = scratch + depth * PanelProduct.columns
    eachPanel(weight, outputs) { input, count, output, columns in
      weight.packPairs(
        firstOutput: output, columns: columns, firstInput: input, depth: count, panel: panel, scratch: decoded)
      PairProduct.multiplyAdd(
        a: x.base + rows.lowerBound * x.stride + input, aStride: x.stride, rows: rows.count, panel: panel,
        depth: (count + 1) / 2 * 2, c: sums.base + output - outputs.lowerBound, cStride: outputs.count,
        columns: columns)
    }
  }

  /// Cuts a run of outputs into panels, for one block of inputs after another.
  private static func eachPanel(
    _ weight: Weight, _ outputs: Range<Int>, _ body: (_ input: Int, _ count: Int, _ output: Int, _ columns: Int) -> Void
  ) {
    for input in stride(from: 0, to: weight.inputs, by: depth) {
      for output in stride(from: outputs.lowerBound, to: outputs.upperBound, by: PanelProduct.columns) {
        body(
          input, min(depth, weight.inputs - input), output, min(PanelProduct.columns, outputs.upperBound - output))
      }
    }
  }

  private static func multiply(
    _ weight: Weight, _ x: Activation, _ rows: Range<Int>, _ outputs: Range<Int>, into sums: ProductSums,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let panel = scratch
    eachPanel(weight, outputs) { input, count, output, columns in
      weight.pack(firstOutput: output, columns: columns, firstInput: input, depth: count, panel: panel)
      PanelProduct.multiplyAdd(
        a: x.row(rows.lowerBound) + input, aStride: x.channels, rows: rows.count, panel: panel, depth: count,
        c: sums.base + output - outputs.lowerBound, cStride: outputs.count, columns: columns)
    }
  }

  private static func multiply(
    _ blas: OpenBLAS, _ weight: Weight, _ x: Activation, _ rows: Range<Int>, _ outputs: Range<Int>,
    into sums: ProductSums, _ scratch: UnsafeMutablePointer<Float>
  ) {
    for input in stride(from: 0, to: weight.inputs, by: depth) {
      let count = min(depth, weight.inputs - input)
      weight.decode(
        firstOutput: outputs.lowerBound, count: outputs.count, firstInput: input, depth: count, out: scratch)
      blas.multiply(
        rows: rows.count, columns: outputs.count, depth: count, a: x.row(rows.lowerBound) + input, aStride: x.channels,
        b: scratch, bStride: count, c: sums.base, cStride: outputs.count, adding: true)
    }
  }

  /// Rows of an embedding table.
  /// - Parameters:
  ///   - ids: indices below the table's rows.
  ///   - out: `[ids, columns]`, overwritten.
  public func embed(_ table: Weight, path: String, ids: [Int], into out: Activation) throws {
    precondition(out.rowCount == ids.count && out.channels == table.inputs)
    precondition(ids.allSatisfy { (0..<table.outputs).contains($0) })
    try perform(
      NetworkOperation(
        path: path, kind: .embedding, operationCount: 0,
        weightByteCount: table.byteCount / max(1, table.outputs) * ids.count, activationByteCount: out.byteCount),
      output: out, prepare: table
    ) {
      parallel(ids.count) { item, scratch in table.row(ids[item], into: out.row(item), scratch: scratch) }
    }
  }
}

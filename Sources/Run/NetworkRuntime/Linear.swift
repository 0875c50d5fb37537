import Kernels

/// `y = x W^T + b`.
public struct Linear: Sendable {
  public let path: String
  public let weight: Weight
  public let bias: Vector?
  /// Whether its activations are known to lose too much in 8 bits beside weights of 8 bits.
  public let needsExactActivations: Bool

  /// - Parameter path: name of the tensors before `.weight` and `.bias`.
  public init(
    _ source: any WeightSource, _ path: String, inputs: Int, outputs: Int, hasBias: Bool = true,
    needsExactActivations: Bool = false
  ) throws {
    self.path = path
    self.needsExactActivations = needsExactActivations
    weight = try source.weight(path + ".weight", shape: [outputs, inputs])
    bias = hasBias ? try source.vector(path + ".bias", shape: [outputs]) : nil
  }

  /// A layer over a weight that bears another name, such as a head that is the embedding.
  public init(path: String, weight: Weight, bias: Vector? = nil) {
    self.path = path
    self.weight = weight
    self.bias = bias
    needsExactActivations = false
  }
}

extension Execution {
  /// Rows that one item multiplies.
  private static let rowLimit = 512
  /// Rows at the most that are multiplied one after another, with weights that are read as they lie: so few do not pay for packing them.
  private static let fewRows = 3

  /// `out = x W^T + b`, plus a residual.
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - residual: like `out`; may be `out`. Observers see the sum as `PATH.sum`.
  ///   - out: `[rows, outputs]`, overwritten.
  public func linear(_ layer: Linear, _ x: Activation, plus residual: Activation? = nil, into out: Activation) throws {
    try adding(residual, to: layer.path, into: out) { try multiply(layer, x, then: $0, into: $1) }
  }

  /// `gate = silu(gate) * (x W^T + b)`. Source: Shazeer, "GLU Variants Improve Transformer".
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - gate: `[rows, outputs]`, overwritten.
  ///   - product: under which observers see the result, apart from the layer's own.
  public func linear(_ layer: Linear, _ x: Activation, gating gate: Activation, product: String) throws {
    guard isApart(layer.path, from: product) else { return try multiply(layer, x, then: .gate(gate), into: gate) }
    let value = take(like: gate)
    defer { give(value) }
    try multiply(layer, x, then: .nothing, into: value)
    try siluGate(product, gate: gate, value: value)
  }

  private func multiply(_ layer: Linear, _ x: Activation, then tail: ProductTail, into out: Activation) throws {
    let weight = layer.weight
    precondition(x.channels == weight.inputs && out.channels == weight.outputs && x.rowCount == out.rowCount)
    let product = MatrixProduct(path: path(for: weight, needsExactActivations: layer.needsExactActivations))
    if case .dots = product.path { return try multiplyDots(layer, x, then: tail, into: out) }
    let isNarrow = product.path.elementByteCount == 2 && x.rowCount > Self.fewRows
    let memory =
      isNarrow
      ? take(batch: x.batch, height: x.height, width: x.width, channels: (x.channels + 1) / 2) : nil
    defer { if let memory { give(memory) } }
    try perform(linearOperation(layer, x, tail, out), inputs: [x], output: out, prepare: weight) {
      if x.rowCount <= Self.fewRows { return multiplyFewRows(layer, x, then: tail, into: out) }
      let rowsOfAll =
        memory.map { narrowed(x, into: $0) } ?? ProductRows(base: x.base, stride: x.channels, count: x.rowCount)
      let rowBlocks = (x.rowCount + Self.rowLimit - 1) / Self.rowLimit
      let panels = (weight.outputs + PanelProduct.columns - 1) / PanelProduct.columns
      // OpenBLAS may round otherwise for other cuts: there the cut is fixed.
      var group = MatrixProduct.groupLimit
      if case .blas = product.path {} else { group = panelsOfItem(panels, rowBlocks: rowBlocks) }
      let groups = (panels + group - 1) / group
      parallel(rowBlocks * groups) { [group] item, scratch in
        var scratch = scratch
        let rows = item / groups * Self.rowLimit..<min(x.rowCount, (item / groups + 1) * Self.rowLimit)
        let first = item % groups * group * PanelProduct.columns
        let outputs = first..<min(weight.outputs, first + group * PanelProduct.columns)
        let sums = ProductSums(&scratch, rows: rows.count, outputs: outputs)
        product.multiply(
          rowsOfAll.rows(rows, elementByteCount: product.path.elementByteCount), WeightRows(matrix: weight.matrix),
          outputs: outputs, into: sums.base, sumsStride: outputs.count, scratch: scratch)
        for row in rows {
          sums.finish(row - rows.lowerBound, out: out.row(row), bias: layer.bias, then: tail.row(row))
        }
      }
    }
  }

  /// Panels side by side, which share the rows of x in the cache; few enough that all threads have items to the end.
  private func panelsOfItem(_ panels: Int, rowBlocks: Int) -> Int {
    max(1, min(MatrixProduct.groupLimit, panels * rowBlocks / (4 * threadCount)))
  }

  private func linearOperation(
    _ layer: Linear, _ x: Activation, _ tail: ProductTail, _ out: Activation
  ) -> NetworkOperation {
    NetworkOperation(
      path: layer.path, kind: .linear, weight: layer.weight.name,
      operationCount: 2 * x.rowCount * layer.weight.inputs * layer.weight.outputs + tail.cost * out.count,
      weightByteCount: layer.weight.byteCount, activationByteCount: x.byteCount + out.byteCount * tail.passCount)
  }

  /// Codes as they lie, with activations of 8 bits: each row is quantized once.
  private func multiplyDots(_ layer: Linear, _ x: Activation, then tail: ProductTail, into out: Activation) throws {
    let weight = layer.weight
    let groups = GroupTile.count(columns: x.channels)
    let memory = takeGroups(rows: x.rowCount, groups: groups)
    defer { give(memory) }
    lookForOutliers(layer.path, rowCount: x.rowCount, columns: x.channels) { row, _ in UnsafePointer(x.row(row)) }
    try perform(linearOperation(layer, x, tail, out), inputs: [x], output: out, prepare: weight) {
      let quantized = QuantizedGroups(memory.base, count: x.rowCount * groups)
      parallelRows(x.rowCount, columns: x.channels) { rows in
        quantized.quantize(
          x.row(rows.lowerBound), rowCount: rows.count, columns: x.channels, at: rows.lowerBound * groups)
      }
      let rowBlocks = (x.rowCount + Self.rowLimit - 1) / Self.rowLimit
      let panels = (weight.outputs + PanelProduct.columns - 1) / PanelProduct.columns
      let width = panelsOfItem(panels, rowBlocks: rowBlocks) * PanelProduct.columns
      let parts = (weight.outputs + width - 1) / width
      parallel(rowBlocks * parts) { item, scratch in
        var scratch = scratch
        let rows = item / parts * Self.rowLimit..<min(x.rowCount, (item / parts + 1) * Self.rowLimit)
        let outputs = item % parts * width..<min(weight.outputs, (item % parts + 1) * width)
        let sums = ProductSums(&scratch, rows: rows.count, outputs: outputs)
        withUnsafePointer(to: 0) { start in
          weight.matrix.encoding.multiply(
            weight.matrix, outputs: outputs,
            by: QuantizedRows(
              quantized, first: rows.lowerBound * groups, rowCount: rows.count, stride: groups,
              runs: UnsafeBufferPointer(start: start, count: 1), runGroups: groups),
            into: sums.base, stride: outputs.count)
        }
        for row in rows {
          sums.finish(row - rows.lowerBound, out: out.row(row), bias: layer.bias, then: tail.row(row))
        }
      }
    }
  }

  /// Memory for quantized activations.
  func takeGroups(rows: Int, groups: Int) -> Activation {
    take(height: rows, width: groups, channels: QuantizedGroups.byteCount / MemoryLayout<Float>.stride)
  }

  /// One row, such as a token that is decoded, or few: the weights' bytes set the pace, whatever the precision.
  private func multiplyFewRows(_ layer: Linear, _ x: Activation, then tail: ProductTail, into out: Activation) {
    let weight = layer.weight
    // Codes are read four tiles side by side; later rows find them in the second-level cache.
    let run = x.rowCount == 1 ? 128 : 64
    parallel((weight.outputs + run - 1) / run) { item, scratch in
      var scratch = scratch
      let outputs = item * run..<min(weight.outputs, (item + 1) * run)
      let sums = ProductSums(&scratch, rows: 1, outputs: outputs)
      for row in 0..<x.rowCount {
        sums.base.update(repeating: 0, count: outputs.count)
        weight.matrix.encoding.multiplyRow(
          weight.matrix, outputs: outputs, by: x.row(row), into: sums.base, scratch: scratch)
        sums.finish(0, out: out.row(row), bias: layer.bias, then: tail.row(row))
      }
    }
  }

  /// The same rows in bf16; a row takes an even number of elements.
  private func narrowed(_ x: Activation, into memory: Activation) -> ProductRows {
    let stride = 2 * memory.channels
    nonisolated(unsafe) let base = UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: UInt16.self)
    parallelRows(x.rowCount, columns: x.channels) { range in
      for row in range {
        ElementCast.narrow(count: x.channels, from: x.row(row), to: base + row * stride, .bf16)
        if x.channels < stride { base[row * stride + x.channels] = 0 }
      }
    }
    return ProductRows(base: base, stride: stride, count: x.rowCount)
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
        path: path, kind: .embedding, weight: table.name, operationCount: 0,
        weightByteCount: table.byteCount / max(1, table.outputs) * ids.count, activationByteCount: out.byteCount),
      inputs: [], output: out, prepare: table
    ) {
      parallel(ids.count) { item, scratch in
        table.matrix.decodeRow(ids[item], into: out.row(item), scratch: scratch)
      }
    }
  }
}

import Kernels

/// A convolution with a square kernel. A kernel of 1 is a product; others read a padded piece of the picture, tap by tap,
/// without unfolding it.
public struct Convolution: Sendable {
  public let path: String
  public let weight: Weight
  public let bias: Vector
  public let channels: Int
  public let outputs: Int
  /// 1 or 3.
  public let kernel: Int
  /// 1 or 2. Padding is one pixel on every side of a kernel of 3.
  public let stride: Int

  public init(
    _ source: any WeightSource, _ path: String, channels: Int, outputs: Int, kernel: Int = 3, stride: Int = 1
  ) throws {
    precondition((kernel == 1 && stride == 1) || (kernel == 3 && (1...2).contains(stride)))
    self.path = path
    self.channels = channels
    self.outputs = outputs
    self.kernel = kernel
    self.stride = stride
    weight = try source.weight(path + ".weight", shape: [outputs, channels, kernel, kernel])
    bias = try source.vector(path + ".bias", shape: [outputs])
  }

  /// A kernel of 1 as a product.
  var product: Linear { Linear(path: path, weight: weight, bias: bias) }
}

/// What happens to a convolution's input while it is read.
public struct ConvolutionInput: Sendable {
  public let x: Activation
  /// A group norm, followed by SiLU.
  public let norm: ChannelScale?
  /// Whether each pixel stands for two by two.
  public let isDoubled: Bool

  public init(_ x: Activation, norm: ChannelScale? = nil, isDoubled: Bool = false) {
    self.x = x
    self.norm = norm
    self.isDoubled = isDoubled
  }

  var height: Int { isDoubled ? 2 * x.height : x.height }
  var width: Int { isDoubled ? 2 * x.width : x.width }

  /// Copies a run of pixels of a row that is given in doubled coordinates; what lies outside is zero.
  func copy(sample: Int, y: Int, from first: Int, count: Int, into out: UnsafeMutablePointer<Float>) {
    let channels = x.channels
    guard (0..<height).contains(y) else {
      return out.update(repeating: 0, count: count * channels)
    }
    let row = x.row((sample * x.height + (isDoubled ? y / 2 : y)) * x.width)
    let inside = max(0, min(first + count, width) - max(first, 0))
    let start = max(first, 0)
    out.update(repeating: 0, count: (start - first) * channels)
    let target = out + (start - first) * channels
    if isDoubled {
      for pixel in 0..<inside {
        (target + pixel * channels).update(from: row + (start + pixel) / 2 * channels, count: channels)
      }
      if let norm { apply(norm, sample, to: target, from: target, pixels: inside) }
    } else if let norm {
      apply(norm, sample, to: target, from: row + start * channels, pixels: inside)
    } else {
      target.update(from: row + start * channels, count: inside * channels)
    }
    let done = start - first + inside
    (out + done * channels).update(repeating: 0, count: (count - done) * channels)
  }

  private func apply(
    _ norm: ChannelScale, _ sample: Int, to target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>,
    pixels: Int
  ) {
    Norms.scaleShift(
      out: target, source, scale: norm.scale(sample), shift: norm.shift(sample), pixels: pixels, channels: x.channels,
      thenSiLU: true)
  }
}

extension Execution {
  /// - Parameters:
  ///   - residual: like `out`; added to the result; may be `out`. Observers see the sum as `PATH.sum`.
  ///   - out: `[batch, height / stride, width / stride, outputs]`, overwritten.
  public func convolve(
    _ layer: Convolution, _ input: ConvolutionInput, plus residual: Activation? = nil, into out: Activation
  ) throws {
    if layer.kernel == 1 {
      precondition(input.norm == nil && !input.isDoubled)
      return try linear(layer.product, input.x, plus: residual, into: out)
    }
    try adding(residual, to: layer.path, into: out) { try convolve(layer, input, then: $0, into: $1) }
  }

  /// The input as it is read, where an observer wants to see it.
  private func shown(_ input: ConvolutionInput, of path: String) -> ConvolutionInput? {
    guard input.norm != nil || input.isDoubled, observers.wants(path).contains(.inputs) else { return nil }
    let whole = take(batch: input.x.batch, height: input.height, width: input.width, channels: input.x.channels)
    if !isPlanning {
      parallel(whole.batch * whole.height) { item, _ in
        let (sample, y) = item.quotientAndRemainder(dividingBy: whole.height)
        input.copy(sample: sample, y: y, from: 0, count: whole.width, into: whole.row(item * whole.width))
      }
    }
    return ConvolutionInput(whole)
  }

  private func convolve(
    _ layer: Convolution, _ given: ConvolutionInput, then tail: ProductTail, into out: Activation
  ) throws {
    let shown = shown(given, of: layer.path)
    defer { if let shown { give(shown.x) } }
    let input = shown ?? given
    let x = input.x
    precondition(x.channels == layer.channels && out.channels == layer.outputs && x.batch == out.batch)
    precondition(
      out.height == (input.height - 1) / layer.stride + 1 && out.width == (input.width - 1) / layer.stride + 1)
    let product = MatrixProduct(path: path(for: layer.weight, isConvolution: true))
    let operation = NetworkOperation(
      path: layer.path, kind: .convolution, weight: layer.weight.name,
      operationCount: 2 * out.rowCount * layer.outputs * layer.channels * 9, weightByteCount: layer.weight.byteCount,
      activationByteCount: x.byteCount + out.byteCount * tail.passCount)
    if case .dots = product.path {
      return try convolveDots(layer, input, then: tail, into: out, operation)
    }
    try perform(operation, inputs: [x], output: out, prepare: layer.weight) {
      let reader = PieceReader(layer, out, product: product)
      let tiles = OutputTiles(
        out, rows: reader.rows, columns: reader.columns, grain: PanelProduct.columns,
        limit: MatrixProduct.groupLimit * PanelProduct.columns, threadCount: threadCount)
      parallel(tiles.itemCount) { number, scratch in
        reader.run(tiles.item(number, of: out), layer, input, tail, out, scratch)
      }
    }
  }
}

/// Products of a tile of pixels with packed kernels, by way of a padded piece of the input in a worker's memory.
private struct PieceReader: Sendable {
  /// Pixels of a tile, so many that the piece fits.
  let rows: Int
  let columns: Int
  private let stride: Int
  private let product: MatrixProduct

  private static let pixelLimit = 512
  /// Bytes of the padded piece of the input: what a worker's memory has beside packed weights and sums.
  private static let pieceByteCount =
    Execution.scratchByteCount
    - Scratch.byteCount(Float.self, pixelLimit * MatrixProduct.groupLimit * PanelProduct.columns)
    - max(
      MatrixProduct.scratchByteCount(depth: TapMajorKernels.channelBlock),
      MatrixProduct.scratchByteCount(depth: ChannelMajorKernels.channelBlock, parts: 9))

  init(_ layer: Convolution, _ out: Activation, product: MatrixProduct) {
    stride = layer.stride
    self.product = product
    var columns = min(out.width, 128)
    var rows = max(1, min(out.height, Self.pixelLimit / max(1, columns)))
    // Narrow rows need one more for the row that is being narrowed.
    func pieceByteCount(_ rows: Int, _ columns: Int) -> Int {
      let rowLength = ((columns - 1) * layer.stride + 3) * layer.channels
      return Scratch.byteCount(Float.self, ((rows - 1) * layer.stride + 3) * rowLength + 1)
        + (product.path.elementByteCount == 4 ? 0 : Scratch.byteCount(Float.self, rowLength))
    }
    while pieceByteCount(rows, columns) > Self.pieceByteCount {
      if rows > 1 { rows -= 1 } else if columns > 1 { columns = (columns + 1) / 2 } else { break }
    }
    precondition(pieceByteCount(rows, columns) <= Self.pieceByteCount, "too many channels for a convolution")
    self.rows = rows
    self.columns = columns
  }

  func run(
    _ item: OutputTiles.Item, _ layer: Convolution, _ input: ConvolutionInput, _ tail: ProductTail, _ out: Activation,
    _ memory: Scratch
  ) {
    var scratch = memory
    let outputs = item.outputs
    let sums = ProductSums(&scratch, rows: item.pixelCount, outputs: outputs)
    let pieceWidth = (item.columnCount - 1) * stride + 3
    let piece = piece(
      layer, input, sample: item.sample, y: item.firstRow * stride - 1, x: item.firstColumn * stride - 1,
      rows: (item.rowCount - 1) * stride + 3, columns: pieceWidth, &scratch)
    let taps = TapPlaces(taps: 9, rowLength: pieceWidth * layer.channels, channels: layer.channels)
    let pixels = ProductRows(
      base: piece, stride: stride * layer.channels, count: item.columnCount, runs: item.rowCount,
      runStride: stride * taps.rowLength)
    let matrix = layer.weight.matrix
    if matrix.shape.order == .tapMajor {
      product.multiply(
        pixels, TapMajorKernels(matrix: matrix, places: taps), outputs: outputs, into: sums.base,
        sumsStride: outputs.count, scratch: scratch)
    } else {
      product.multiply(
        pixels, ChannelMajorKernels(matrix: matrix, places: taps), outputs: outputs, into: sums.base,
        sumsStride: outputs.count, scratch: scratch)
    }
    item.finish(sums, out: out, bias: layer.bias, then: tail)
  }

  /// The padded piece of the input that an item reads, in the type that the product reads: `[rows, columns, channels]`.
  private func piece(
    _ layer: Convolution, _ input: ConvolutionInput, sample: Int, y: Int, x: Int, rows: Int, columns: Int,
    _ scratch: inout Scratch
  ) -> UnsafeRawPointer {
    let rowLength = columns * layer.channels
    guard product.path.elementByteCount == 2 else {
      let piece = scratch.take(Float.self, rows * rowLength)
      for row in 0..<rows {
        input.copy(sample: sample, y: y + row, from: x, count: columns, into: piece + row * rowLength)
      }
      return UnsafeRawPointer(piece)
    }
    // The last pair of an odd number of channels reads one value beyond the end; its weight is 0.
    let piece = scratch.take(UInt16.self, rows * rowLength + 1)
    piece[rows * rowLength] = 0
    var later = scratch
    let wide = later.take(Float.self, rowLength)
    for row in 0..<rows {
      input.copy(sample: sample, y: y + row, from: x, count: columns, into: wide)
      ElementCast.narrow(count: rowLength, from: wide, to: piece + row * rowLength, .bf16)
    }
    return UnsafeRawPointer(piece)
  }
}

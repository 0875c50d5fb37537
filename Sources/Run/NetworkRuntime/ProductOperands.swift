import Encodings
import Kernels

/// A matrix of weights: a linear layer.
struct WeightRows: ProductOperand {
  let matrix: EncodedMatrix

  var blockCount: Int { (matrix.shape.columns + MatrixProduct.depth - 1) / MatrixProduct.depth }

  func block(_ number: Int) -> ProductBlock {
    let first = number * MatrixProduct.depth
    return ProductBlock(first: first, depth: min(MatrixProduct.depth, matrix.shape.columns - first))
  }

  func offset(_ block: ProductBlock, part: Int) -> Int { block.first }

  func pack(_ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>, scratch: Scratch) {
    matrix.encoding.pack(matrix, outputs: outputs, inputs: inputs(block), into: panel, scratch: scratch)
  }

  func packPairs(
    _ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>, scratch: Scratch
  ) { matrix.encoding.packPairs(matrix, outputs: outputs, inputs: inputs(block), into: panel, scratch: scratch) }

  func decode(_ block: ProductBlock, outputs: Range<Int>, into out: UnsafeMutablePointer<Float>) {
    matrix.decode(outputs: outputs, inputs: inputs(block), into: out)
  }

  private func inputs(_ block: ProductBlock) -> Range<Int> { block.first..<block.first + block.depth }
}

/// How a convolution's taps lie in the piece of the input that an item reads.
struct TapPlaces {
  let taps: Int
  /// Values from row to row of the piece.
  let rowLength: Int
  let channels: Int

  /// Where the first channel of a tap lies, from the top left pixel on.
  func offset(tap: Int) -> Int { tap / 3 * rowLength + tap % 3 * channels }
}

/// A convolution's kernels whose columns lie tap after tap: a block is some channels of one tap.
struct TapMajorKernels: ProductOperand {
  /// Channels of a block: few enough that the piece's stay in the cache while all taps read them.
  static let channelBlock = 128

  let matrix: EncodedMatrix
  let places: TapPlaces

  private var blocksOfTap: Int { (places.channels + Self.channelBlock - 1) / Self.channelBlock }
  var blockCount: Int { blocksOfTap * places.taps }

  /// All taps of some channels come one after another.
  func block(_ number: Int) -> ProductBlock {
    let (channels, tap) = number.quotientAndRemainder(dividingBy: places.taps)
    let first = channels * Self.channelBlock
    return ProductBlock(
      first: tap * places.channels + first, depth: min(Self.channelBlock, places.channels - first))
  }

  func offset(_ block: ProductBlock, part: Int) -> Int {
    let (tap, channel) = block.first.quotientAndRemainder(dividingBy: places.channels)
    return places.offset(tap: tap) + channel
  }

  func pack(_ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>, scratch: Scratch) {
    matrix.encoding.pack(
      matrix, outputs: outputs, inputs: block.first..<block.first + block.depth, into: panel, scratch: scratch)
  }

  func packPairs(
    _ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>, scratch: Scratch
  ) {
    matrix.encoding.packPairs(
      matrix, outputs: outputs, inputs: block.first..<block.first + block.depth, into: panel, scratch: scratch)
  }
}

/// A convolution's kernels in the source's order, all taps of a channel together: a block has a part for each tap.
struct ChannelMajorKernels: ProductOperand {
  /// Channels of a block. Their columns, nine times as many, begin where a group may.
  static let channelBlock = 64

  let matrix: EncodedMatrix
  let places: TapPlaces

  var blockCount: Int { (places.channels + Self.channelBlock - 1) / Self.channelBlock }

  func block(_ number: Int) -> ProductBlock {
    let first = number * Self.channelBlock
    return ProductBlock(first: first, depth: min(Self.channelBlock, places.channels - first), parts: places.taps)
  }

  func offset(_ block: ProductBlock, part: Int) -> Int { places.offset(tap: part) + block.first }

  /// All taps as they lie: `[depth, taps, 32]`.
  private func packMixed(
    _ block: ProductBlock, _ outputs: Range<Int>, _ scratch: inout Scratch, rows: Int
  ) -> UnsafeMutablePointer<Float> {
    let columns = block.first * places.taps..<(block.first + block.depth) * places.taps
    let mixed = scratch.take(Float.self, rows * places.taps * PanelProduct.columns)
    matrix.encoding.pack(matrix, outputs: outputs, inputs: columns, into: mixed, scratch: scratch)
    return mixed
  }

  func pack(_ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>, scratch: Scratch) {
    var scratch = scratch
    let width = PanelProduct.columns
    let mixed = packMixed(block, outputs, &scratch, rows: block.depth)
    for channel in 0..<block.depth {
      for tap in 0..<places.taps {
        (panel + (tap * block.depth + channel) * width).update(
          from: mixed + (channel * places.taps + tap) * width, count: width)
      }
    }
  }

  func packPairs(
    _ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>, scratch: Scratch
  ) {
    var scratch = scratch
    let (width, taps, pairs) = (PanelProduct.columns, places.taps, (block.depth + 1) / 2)
    let mixed = packMixed(block, outputs, &scratch, rows: 2 * pairs)
    if block.depth % 2 == 1 { (mixed + width * taps * block.depth).update(repeating: 0, count: width * taps) }
    for pair in 0..<pairs {
      for tap in 0..<taps {
        let even = mixed + (2 * pair * taps + tap) * width
        PairProduct.pairRows(even, even + taps * width, into: panel + (tap * pairs + pair) * 2 * width)
      }
    }
  }
}

/// Keys of a head: a score is the product of a query's row with a key's.
struct HeadKeys: ProductOperand {
  let base: UnsafePointer<Float>
  /// Values from key to key.
  let stride: Int
  let width: Int

  var blockCount: Int { (width + MatrixProduct.depth - 1) / MatrixProduct.depth }

  func block(_ number: Int) -> ProductBlock {
    let first = number * MatrixProduct.depth
    return ProductBlock(first: first, depth: min(MatrixProduct.depth, width - first))
  }

  func offset(_ block: ProductBlock, part: Int) -> Int { block.first }

  func pack(_ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>, scratch: Scratch) {
    PanelProduct.packRows(
      base + outputs.lowerBound * stride + block.first, dtype: .f32, stride: stride, columns: outputs.count,
      depth: block.depth, panel: panel)
  }
}

/// Values of a head for a block of keys: what scores are multiplied with.
struct HeadValues: ProductOperand {
  let base: UnsafePointer<Float>
  /// Values from key to key.
  let stride: Int
  /// At most ``MatrixProduct/depth``.
  let keyCount: Int

  var blockCount: Int { 1 }
  func block(_ number: Int) -> ProductBlock { ProductBlock(first: 0, depth: keyCount) }
  func offset(_ block: ProductBlock, part: Int) -> Int { 0 }

  func pack(_ block: ProductBlock, outputs: Range<Int>, into panel: UnsafeMutablePointer<Float>, scratch: Scratch) {
    PanelProduct.packColumns(
      base + outputs.lowerBound, stride: stride, columns: outputs.count, depth: keyCount, panel: panel)
  }
}

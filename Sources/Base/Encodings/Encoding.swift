import Kernels
import Tensors

/// A form in which weights are stored: all that is known of it, in one place.
///
/// A matrix has planes of bytes. It can be read and written in pieces: a *stripe* of `grain.rows` rows, and a run of columns of
/// one segment that starts at a multiple of `grain.columns`. Each piece is one range of bytes in every plane.
public protocol Encoding: Sendable {
  /// As files name it: `int4-g32`.
  var name: String { get }
  /// As people name it: `int4`.
  var shortName: String { get }
  /// What files say beside the name: JSON, or empty.
  var parameters: String { get }
  /// What it suits, in a phrase.
  var summary: String { get }
  /// Bits of a code; nil where elements are stored as they are, or in blocks of another program.
  var codeBits: Int? { get }
  /// Whether decoding gives other values than those that were encoded.
  var isLossy: Bool { get }
  var grain: (rows: Int, columns: Int) { get }

  // MARK: Where bytes lie

  /// How a tensor is stored that is to be written; nil where it cannot be.
  func shape(forWriting info: TensorInfo) -> EncodedShape?
  /// The planes of a matrix, or nil where their sizes overflow.
  func planes(of shape: EncodedShape) -> [PlaneShape]?
  /// How a stored tensor is to be read.
  func shape(of info: TensorInfo, planes: [PlaneShape]) throws(PlaneProblem) -> EncodedShape
  /// Where a piece lies in a plane.
  func byteRange(plane: Int, of shape: EncodedShape, stripe: Int, columns: Range<Int>) -> Range<Int>

  // MARK: What bytes mean

  /// Decodes the first `rows` rows of a piece.
  /// - Parameters:
  ///   - piece: the bytes of each plane, as ``byteRange(plane:of:stripe:columns:)`` says.
  ///   - out: `[rows, stride]` f32, `columns` of each row overwritten.
  func decode(
    _ piece: PlaneBytes, dtype: DType, rows: Int, columns: Int, into out: UnsafeMutablePointer<Float>, stride: Int)
  /// What turns values into codes; nil for forms that are only read.
  var solver: (any Solver)? { get }

  // MARK: Products

  /// Packs outputs for ``PanelProduct``: `[inputs, 32]` f32, zeros beyond the outputs.
  /// - Parameters:
  ///   - outputs: at most 32, from a multiple of 32 on.
  ///   - inputs: places within one segment, from a multiple of 32 on.
  func pack(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    scratch: Scratch)
  /// Packs the same for ``PairProduct``: `[ceil(inputs / 2), 32, 2]` bf16.
  func packPairs(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>,
    scratch: Scratch)
  /// Adds the products of one row of activations, `[columns]`, to `out`, `[outputs]`.
  /// - Parameter outputs: from a multiple of 32 on.
  func multiplyRow(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>,
    scratch: Scratch)
  /// Whether codes can be multiplied with activations of 8 bits as they lie.
  var hasDots: Bool { get }
  /// Whether rounding activations to 8 bits is nothing beside the loss of the weights, in any layer.
  var hidesRoundedActivations: Bool { get }
  /// Writes the products of quantized rows with outputs: `[rows, stride]`.
  /// - Parameter outputs: from a multiple of the grain's rows on.
  /// - Precondition: ``hasDots``.
  func multiply(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by rows: QuantizedRows, into out: UnsafeMutablePointer<Float>,
    stride: Int)
}

/// Turns values into the planes of an encoding.
public protocol Solver: Sendable {
  /// As files record it beside the errors.
  var method: String { get }
  /// The signal-to-noise ratio in dB below which a tensor has values that the encoding does not suit; real weights are far above.
  var lowestDecibels: Double { get }
  /// Whether it has to see whole rows at once without a guide, too; else runs of columns will do.
  var needsWholeRows: Bool { get }
  /// Encodes whole segments of a stripe, or a run of the columns of one.
  /// - Parameters:
  ///   - values: `[rows, rowStride]` of a castable dtype, `columns` of each row used.
  ///   - segmentColumns: a divisor of `columns`.
  ///   - guide: of the `columns`; nil without data.
  ///   - planes: the bytes of each plane, overwritten.
  ///   - sums: added to.
  func encode(
    _ values: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, segmentColumns: Int,
    guide: ColumnGuide?, into planes: [UnsafeMutableRawBufferPointer], sums: inout ErrorSums)
}

extension Encoding {
  public var summary: String { "" }
  public var codeBits: Int? { nil }

  /// Matrices and kernels of real numbers, with elements; rows that a solver sees as a whole are at most 2^20 columns wide.
  public func shape(forWriting info: TensorInfo) -> EncodedShape? {
    guard let solver, info.shape.count >= 2, info.elementCount > 0, info.dtype.isReal,
      !solver.needsWholeRows || info.matrix.columns <= EncodedShape.wholeRowColumnLimit
    else { return nil }
    return EncodedShape(info.matrix, dtype: .f32, order: .preferred(for: info.matrix))
  }

  /// Reads what this encoding writes, in either order of the columns.
  public func shape(of info: TensorInfo, planes: [PlaneShape]) throws(PlaneProblem) -> EncodedShape {
    guard info.dtype == .f32 else { throw .notOfEncoding }
    let orders: [TileLayout.ColumnOrder] = info.matrix.taps > 1 ? [.source, .tapMajor] : [.source]
    for order in orders {
      let shape = EncodedShape(info.matrix, dtype: .f32, order: order)
      guard let expected = self.planes(of: shape), expected.map(\.kind) == planes.map(\.kind) else {
        throw .notOfEncoding
      }
      guard expected.map(\.layout) == planes.map(\.layout) else { continue }
      for (number, (plane, expected)) in zip(planes, expected).enumerated()
      where plane.byteCount != expected.byteCount {
        throw .size(plane: number, expected: expected.byteCount, found: plane.byteCount)
      }
      return shape
    }
    throw .unknownLayout
  }

  /// Bytes that a stripe takes in a plane for whole segments, or for a run of the columns of one.
  public func byteCount(plane: Int, of shape: EncodedShape, columns: Int) -> Int {
    let segment = min(columns, shape.segmentColumns)
    let first = byteRange(plane: plane, of: shape, stripe: 0, columns: 0..<segment)
    let last = byteRange(plane: plane, of: shape, stripe: 0, columns: columns - segment..<columns)
    return last.upperBound - first.lowerBound
  }

  /// The bytes of a piece of a matrix that lies in memory.
  public func piece(_ matrix: EncodedMatrix, stripe: Int, columns: Range<Int>) -> PlaneBytes {
    var bytes = matrix.planes
    for plane in 0..<bytes.count {
      let range = byteRange(plane: plane, of: matrix.shape, stripe: stripe, columns: columns)
      bytes[plane] = UnsafeRawBufferPointer(rebasing: bytes[plane][range])
    }
    return bytes
  }

  /// Packs outputs stripe by stripe: `decode` gets the bytes of one and its half of the panel.
  func packStripes(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    decode: (_ piece: PlaneBytes, _ half: UnsafeMutablePointer<Float>) -> Void
  ) {
    for first in stride(from: 0, to: PanelProduct.columns, by: grain.rows) {
      guard first < outputs.count else {
        for input in 0..<inputs.count {
          (panel + input * PanelProduct.columns + first).update(repeating: 0, count: grain.rows)
        }
        continue
      }
      let stripe = (outputs.lowerBound + first) / grain.rows
      decode(piece(matrix, stripe: stripe, columns: inputs), panel + first)
    }
  }

  // MARK: Products by way of f32

  public var hasDots: Bool { false }
  public var hidesRoundedActivations: Bool { false }

  public func multiply(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by rows: QuantizedRows, into out: UnsafeMutablePointer<Float>,
    stride: Int
  ) { preconditionFailure("\(name) has no products with activations of 8 bits") }

  public func pack(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    var scratch = scratch
    let rows = scratch.take(Float.self, outputs.count * inputs.count)
    matrix.decode(outputs: outputs, inputs: inputs, into: rows)
    PanelProduct.packRows(
      rows, dtype: .f32, stride: inputs.count, columns: outputs.count, depth: inputs.count, panel: panel)
  }

  public func packPairs(
    _ matrix: EncodedMatrix, outputs: Range<Int>, inputs: Range<Int>, into panel: UnsafeMutablePointer<UInt16>,
    scratch: Scratch
  ) {
    var scratch = scratch
    let width = PanelProduct.columns
    let even = (inputs.count + 1) / 2 * 2
    let values = scratch.take(Float.self, even * width)
    pack(matrix, outputs: outputs, inputs: inputs, into: values, scratch: scratch)
    if even > inputs.count { (values + inputs.count * width).update(repeating: 0, count: width) }
    for input in stride(from: 0, to: even, by: 2) {
      let row = values + input * width
      PairProduct.pairRows(row, row + width, into: panel + input * width)
    }
  }

  public func multiplyRow(
    _ matrix: EncodedMatrix, outputs: Range<Int>, by x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>,
    scratch: Scratch
  ) {
    var scratch = scratch
    // What is decoded is read at once: it has to stay in the first-level cache.
    let (outputsAtOnce, inputsAtOnce) = (16, 512)
    let rows = scratch.take(Float.self, outputsAtOnce * inputsAtOnce)
    for first in stride(from: outputs.lowerBound, to: outputs.upperBound, by: outputsAtOnce) {
      let taken = first..<min(outputs.upperBound, first + outputsAtOnce)
      for input in stride(from: 0, to: matrix.shape.columns, by: inputsAtOnce) {
        let inputs = input..<min(matrix.shape.columns, input + inputsAtOnce)
        matrix.decode(outputs: taken, inputs: inputs, into: rows)
        RowProduct.multiplyAdd(
          rows, dtype: .f32, stride: inputs.count, rows: taken.count, x: x + input, depth: inputs.count,
          out: out + first - outputs.lowerBound)
      }
    }
  }
}

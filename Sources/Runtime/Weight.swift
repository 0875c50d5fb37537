import Kernels
import Synchronization
import Tensors

/// A matrix of weights where it lies: in a mapped file, plain or in a group encoding. Never expanded as a whole.
///
/// `[outputs, inputs]`, row-major; a convolution's inputs are `[channels, height, width]`.
public final class Weight: Sendable {
  public enum Storage: Sendable {
    /// Row-major elements of a castable dtype, aligned to them.
    case plain(DType)
    /// Codes and scales as `formats/bantam.md` section 8 says.
    case group(bits: Int)
    /// Shapes only: for planning.
    case absent
  }

  public let name: String
  public let outputs: Int
  public let inputs: Int
  public let storage: Storage
  /// Bytes as they are stored.
  public let byteCount: Int
  // The owner keeps the bytes alive; they are never written.
  nonisolated(unsafe) private let bytes: UnsafeRawPointer?
  nonisolated(unsafe) private let scales: UnsafeRawPointer?
  private let owner: (any Sendable)?
  private let check: @Sendable () throws -> Void
  private let isTorn: @Sendable () -> Bool
  private let isChecked = Atomic<Bool>(false)

  /// - Parameters:
  ///   - bytes: elements or codes, valid as long as `owner` lives.
  ///   - scales: of a group encoding.
  ///   - check: called once, before the first use: sums over the bytes, for example; throws when `isTorn`.
  ///   - isTorn: whether the bytes have gone since.
  public init(
    name: String, outputs: Int, inputs: Int, storage: Storage, bytes: UnsafeRawBufferPointer,
    scales: UnsafeRawBufferPointer = .init(start: nil, count: 0), owner: (any Sendable)?,
    check: @escaping @Sendable () throws -> Void = {}, isTorn: @escaping @Sendable () -> Bool = { false }
  ) {
    self.name = name
    self.outputs = outputs
    self.inputs = inputs
    self.storage = storage
    self.bytes = bytes.baseAddress
    self.scales = scales.baseAddress
    self.owner = owner
    self.check = check
    self.isTorn = isTorn
    byteCount = bytes.count + scales.count
    switch storage {
    case .plain(let dtype): precondition(bytes.count >= outputs * inputs * dtype.bitWidth / 8)
    case .group(let bits):
      let tiles = (outputs + 15) / 16 * GroupKernels.groupCount(columns: inputs)
      precondition(bytes.count >= tiles * 64 * bits && scales.count >= tiles * 32)
    case .absent: break
    }
  }

  /// Checks the bytes, once, and again when the file has lost some. Every operation calls it before it reads.
  func prepare() throws {
    if isChecked.load(ordering: .acquiring), !isTorn() { return }
    try check()
    isChecked.store(true, ordering: .releasing)
  }

  /// Packs up to 32 outputs of a range of inputs for ``PanelProduct``.
  /// - Parameters:
  ///   - firstOutput, firstInput: multiples of 32.
  ///   - panel: `[depth, 32]`.
  func pack(firstOutput: Int, columns: Int, firstInput: Int, depth: Int, panel: UnsafeMutablePointer<Float>) {
    switch storage {
    case .plain(let dtype):
      let element = bytes! + (firstOutput * inputs + firstInput) * dtype.bitWidth / 8
      PanelProduct.packRows(element, dtype: dtype, stride: inputs, columns: columns, depth: depth, panel: panel)
    case .group(let bits):
      for half in 0..<PanelProduct.columns / 16 {
        guard half * 16 < columns else {
          for input in 0..<depth { (panel + input * PanelProduct.columns + half * 16).update(repeating: 0, count: 16) }
          continue
        }
        let stripe = stripe(firstOutput: firstOutput + half * 16, firstInput: firstInput, depth: depth, bits: bits)
        GroupKernels.decodePanel(
          codes: stripe.codes, scales: stripe.scales, columns: depth, bits: bits, panel: panel + half * 16)
      }
    case .absent: break
    }
  }

  /// Where the codes and scales of 16 outputs and a range of inputs lie.
  private func stripe(
    firstOutput: Int, firstInput: Int, depth: Int, bits: Int
  ) -> (codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer) {
    let group = firstOutput / 16 * GroupKernels.groupCount(columns: inputs) + firstInput / 32
    let taken = GroupKernels.groupCount(columns: depth)
    return (
      .init(start: bytes! + group * 64 * bits, count: taken * 64 * bits),
      .init(start: scales! + group * 32, count: taken * 32)
    )
  }

  /// Adds the product of one row of activations with a run of outputs.
  /// - Parameters:
  ///   - firstOutput: a multiple of 16 unless the storage is plain.
  ///   - out: `[count]`, added to.
  ///   - scratch: 32 * 512 values.
  func multiplyRow(
    firstOutput: Int, count: Int, x: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    switch storage {
    case .plain(let dtype):
      let row = bytes! + firstOutput * inputs * dtype.bitWidth / 8
      RowProduct.multiplyAdd(row, dtype: dtype, stride: inputs, rows: count, x: x, depth: inputs, out: out)
    case .group:
      for output in stride(from: 0, to: count, by: 32) {
        let rows = min(32, count - output)
        for input in stride(from: 0, to: inputs, by: 512) {
          let depth = min(512, inputs - input)
          decode(firstOutput: firstOutput + output, count: rows, firstInput: input, depth: depth, out: scratch)
          RowProduct.multiplyAdd(
            scratch, dtype: .f32, stride: depth, rows: rows, x: x + input, depth: depth, out: out + output)
        }
      }
    case .absent: break
    }
  }

  /// Packs up to 32 outputs of a range of inputs for ``PairProduct``.
  /// - Parameters:
  ///   - firstInput: a multiple of 32.
  ///   - panel: `[(depth + 1) / 2, 32, 2]` bf16.
  ///   - scratch: 32 * (depth rounded up to 32) * 3 / 2 values.
  func packPairs(
    firstOutput: Int, columns: Int, firstInput: Int, depth: Int, panel: UnsafeMutablePointer<UInt16>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    if case .plain(.bf16) = storage {
      let element = bytes!.assumingMemoryBound(to: UInt16.self) + firstOutput * inputs + firstInput
      return PairProduct.packRows(element, stride: inputs, columns: columns, depth: depth, panel: panel)
    }
    let narrow = UnsafeMutableRawPointer(scratch + columns * depth).assumingMemoryBound(to: UInt16.self)
    decode(firstOutput: firstOutput, count: columns, firstInput: firstInput, depth: depth, out: scratch)
    ElementCast.narrow(count: columns * depth, from: scratch, to: narrow, .bf16)
    PairProduct.packRows(narrow, stride: depth, columns: columns, depth: depth, panel: panel)
  }

  /// The same as ``packTaps(firstOutput:columns:firstChannel:count:panels:scratch:)`` for ``PairProduct``.
  /// - Parameter panels: `[9, (count + 1) / 2, 32, 2]` bf16.
  func packTapPairs(
    firstOutput: Int, columns: Int, firstChannel: Int, count: Int, panels: UnsafeMutablePointer<UInt16>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let width = PanelProduct.columns
    pack(
      firstOutput: firstOutput, columns: columns, firstInput: firstChannel * 9, depth: count * 9, panel: scratch)
    if count % 2 == 1 { (scratch + width * 9 * count).update(repeating: 0, count: width * 9) }
    let pairs = (count + 1) / 2
    for pair in 0..<pairs {
      for tap in 0..<9 {
        let even = scratch + (2 * pair * 9 + tap) * width
        PairProduct.pairRows(even, even + 9 * width, into: panels + (tap * pairs + pair) * 2 * width)
      }
    }
  }

  /// Packs a block of channels of a convolution with nine taps: a panel for each tap.
  /// - Parameters:
  ///   - firstChannel: such that the first input is a multiple of 32.
  ///   - panels: `[9, count, 32]`.
  ///   - scratch: 32 * 9 * count values.
  func packTaps(
    firstOutput: Int, columns: Int, firstChannel: Int, count: Int, panels: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let width = PanelProduct.columns
    pack(
      firstOutput: firstOutput, columns: columns, firstInput: firstChannel * 9, depth: count * 9, panel: scratch)
    for channel in 0..<count {
      for tap in 0..<9 {
        (panels + (tap * count + channel) * width).update(from: scratch + (channel * 9 + tap) * width, count: width)
      }
    }
  }

  /// Widens rows to f32.
  /// - Parameters:
  ///   - firstOutput, firstInput: multiples of 16 and 32 unless the storage is plain.
  ///   - out: `[count, depth]`.
  func decode(firstOutput: Int, count: Int, firstInput: Int, depth: Int, out: UnsafeMutablePointer<Float>) {
    switch storage {
    case .plain(let dtype):
      for row in 0..<count {
        let element = bytes! + ((firstOutput + row) * inputs + firstInput) * dtype.bitWidth / 8
        ElementCast.widen(count: depth, from: element, dtype, to: out + row * depth)
      }
    case .group(let bits):
      for first in stride(from: 0, to: count, by: 16) {
        let stripe = stripe(firstOutput: firstOutput + first, firstInput: firstInput, depth: depth, bits: bits)
        let rows = min(16, count - first)
        GroupKernels.decode(
          codes: stripe.codes, scales: stripe.scales, rows: rows, columns: depth, bits: bits,
          out: .init(start: out + first * depth, count: rows * depth), rowStride: depth)
      }
    case .absent: break
    }
  }

  /// Widens one row, such as a token's embedding.
  func row(_ number: Int, into out: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>) {
    guard case .group = storage else {
      return decode(firstOutput: number, count: 1, firstInput: 0, depth: inputs, out: out)
    }
    decode(firstOutput: number / 16 * 16, count: number % 16 + 1, firstInput: 0, depth: inputs, out: scratch)
    out.update(from: scratch + number % 16 * inputs, count: inputs)
  }
}

/// A short run of weights, widened to f32 when the network is built: a norm's factors, a bias.
public final class Vector: @unchecked Sendable {
  // Unchecked: written only while it is made.
  public let count: Int
  private let buffer: AlignedBuffer

  public init(count: Int, _ fill: (UnsafeMutableBufferPointer<Float>) throws -> Void) throws {
    self.count = count
    buffer = try AlignedBuffer(byteCount: count * 4)
    try fill(
      UnsafeMutableBufferPointer(start: buffer.bytes.assumingMemoryBound(to: Float.self).baseAddress, count: count))
  }

  public var values: UnsafePointer<Float> {
    UnsafePointer(buffer.bytes.assumingMemoryBound(to: Float.self).baseAddress!)
  }
}

/// Where a network's weights come from.
public protocol WeightSource {
  /// What the user calls it.
  var path: String { get }
  /// - Throws: ``RuntimeError/weightMissing(path:name:)``, ``RuntimeError/weightShape(path:name:expected:found:)``.
  func weight(_ name: String, shape: [Int]) throws -> Weight
  func vector(_ name: String, shape: [Int]) throws -> Vector
  func has(_ name: String) -> Bool
}

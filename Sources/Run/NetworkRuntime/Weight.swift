import Encodings
import Kernels
import Synchronization
import Tensors

/// A matrix of weights where it lies: in a mapped file, as its encoding stores it. Never expanded as a whole.
public final class Weight: Sendable {
  public let name: String
  public let outputs: Int
  /// Of a convolution, the columns of `[channels, height, width]`.
  public let inputs: Int
  /// Its bytes are trusted after ``prepare()``.
  let matrix: EncodedMatrix
  private let owner: (any Sendable)?
  private let check: @Sendable () throws -> Void
  private let isTorn: @Sendable () -> Bool
  private let isChecked = Atomic<Bool>(false)

  /// - Parameters:
  ///   - matrix: `[outputs, inputs]` of a castable dtype; its bytes are valid as long as `owner` lives.
  ///   - check: called once, before the first use: sums over the bytes, for example; throws when `isTorn`.
  ///   - isTorn: whether the bytes have gone since.
  public init(
    name: String, outputs: Int, inputs: Int, matrix: EncodedMatrix, owner: (any Sendable)?,
    check: @escaping @Sendable () throws -> Void = {}, isTorn: @escaping @Sendable () -> Bool = { false }
  ) {
    precondition(matrix.shape.rows == outputs && matrix.shape.columns == inputs && matrix.shape.dtype.isCastable)
    self.name = name
    self.outputs = outputs
    self.inputs = inputs
    self.matrix = matrix
    self.owner = owner
    self.check = check
    self.isTorn = isTorn
  }

  /// Bytes as they are stored.
  public var byteCount: Int { matrix.planes.byteCount }

  /// Checks the bytes, once, and again when the file has lost some. Every operation calls it before it reads.
  func prepare() throws {
    if isChecked.load(ordering: .acquiring), !isTorn() { return }
    try check()
    isChecked.store(true, ordering: .releasing)
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

import Kernels
import Synchronization
import Tensors

/// How products are computed. Everything else is f32, sums too.
public enum ComputeMode: String, Sendable, CaseIterable {
  /// Exact operands: the reference.
  case f32
  /// Weights and activations rounded to bf16.
  case bf16
  /// Activations rounded to 8 bits in groups of 32, where weights are codes that can be multiplied so, and in attention beside such
  /// weights where that is allowed; f32 elsewhere.
  case int8
  /// What is fastest without a loss that counts beside that of the weights: 8 bits for quantized weights, bf16 where this machine is
  /// faster at it than at f32, else f32.
  case auto
}

/// What multiplies matrices of f32. Convolutions and attention always use the blocked product.
public enum ProductEngine: String, Sendable, CaseIterable {
  /// Our own, which reads weights as they are stored.
  case blocked
  /// OpenBLAS, for which weights are decoded piece by piece first.
  case openblas

  /// The blocked product where it was measured to be at least as fast, or where there is no OpenBLAS.
  public static var preferred: ProductEngine {
    InstructionSets.current.contains(.avx2) || OpenBLAS.shared == nil ? .blocked : .openblas
  }
}

/// A run of a network: its memory, threads and observers. Used from one thread; operations share their work among workers.
///
/// A planning run walks the same code, computes nothing and finds the memory that a real one needs.
public final class Execution {
  public let threadCount: Int
  public let isPlanning: Bool
  public let mode: ComputeMode
  private let blas: OpenBLAS?
  public var observers: [any Observer]
  let arena: Arena
  private let cancellation: Cancellation
  private let scratch: [AlignedBuffer]

  /// Bytes of a worker's own memory: a panel, decoded weights, and the padded piece of a picture.
  public static let scratchByteCount = 8 << 20

  /// - Parameters:
  ///   - arenaByteCount: as ``plan(mode:observers:_:)`` has found; nil for a planning run.
  ///   - engine: for products in f32; OpenBLAS only where it is there.
  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  public init(
    arenaByteCount: Int?, threadCount: Int, mode: ComputeMode = .f32,
    engine: ProductEngine = .preferred, observers: [any Observer] = [], cancellation: Cancellation = .init()
  ) throws(FileError) {
    self.mode = mode
    blas = engine == .openblas ? OpenBLAS.shared : nil
    self.threadCount = max(1, threadCount)
    self.observers = observers
    self.cancellation = cancellation
    isPlanning = arenaByteCount == nil
    if let arenaByteCount {
      arena = try Arena(byteCount: arenaByteCount)
      var scratch: [AlignedBuffer] = []
      for _ in 0..<self.threadCount { scratch.append(try AlignedBuffer(byteCount: Self.scratchByteCount)) }
      self.scratch = scratch
    } else {
      arena = Arena()
      scratch = []
    }
  }

  /// Bytes of activations that `body` needs.
  /// - Parameter observers: see all operations, without values.
  public static func plan(
    mode: ComputeMode = .f32, observers: [any Observer] = [], _ body: (Execution) throws -> Void
  ) throws -> Int {
    let run = try Execution(arenaByteCount: nil, threadCount: 1, mode: mode, observers: observers)
    try body(run)
    return run.arena.peakByteCount
  }

  /// What multiplies a weight. Convolutions, whose rows lie apart, are packed in panels where linear layers may use OpenBLAS.
  func path(
    for weight: Weight, isConvolution: Bool = false, needsExactActivations: Bool = false
  ) -> MatrixProduct.Path {
    let exact: MatrixProduct.Path = isConvolution ? .panels : blas.map { .blas($0) } ?? .panels
    let matrix = weight.matrix
    let hasDots =
      matrix.encoding.hasDots && (!isConvolution || matrix.shape.order == .tapMajor)
    switch mode {
    case .f32: return exact
    case .bf16: return .pairs
    case .int8: return hasDots ? .dots : exact
    case .auto:
      let losesNothing = !needsExactActivations || matrix.encoding.hidesRoundedActivations
      return hasDots && losesNothing && DotProduct.isFast ? .dots : PairProduct.isWorthIt ? .pairs : exact
    }
  }

  /// Takes memory for activations; give it back with ``give(_:)``.
  public func take(batch: Int = 1, height: Int = 1, width: Int, channels: Int) -> Activation {
    Activation(
      arena.take(batch * height * width * channels), batch: batch, height: height, width: width, channels: channels)
  }

  /// Memory like that of another activation.
  public func take(like other: Activation, channels: Int? = nil) -> Activation {
    take(batch: other.batch, height: other.height, width: other.width, channels: channels ?? other.channels)
  }

  public func give(_ activation: Activation) { arena.give(activation.base, activation.count) }

  /// Does one operation, seen by the observers.
  func perform(
    _ operation: @autoclosure () -> NetworkOperation, inputs: @autoclosure () -> [Activation], output: Activation,
    prepare weight: Weight? = nil, _ body: () throws -> Void
  ) throws {
    try cancellation.check()
    guard !observers.isEmpty else {
      if isPlanning { return }
      try weight?.prepare()
      return try body()
    }
    let operation = operation()
    func gets(_ observer: any Observer, _ values: ObservedValues) -> Bool {
      !isPlanning && !observer.wants(operation.path).isDisjoint(with: values)
    }
    try observers.tell { try $0.willRun(operation, inputs: gets($0, .inputs) ? inputs() : nil) }
    if !isPlanning {
      try weight?.prepare()
      try body()
    }
    try observers.tell { try $0.didRun(operation, output: gets($0, [.output, .result]) ? output : nil) }
  }

  /// Whether somebody wants to see an operation apart from what follows it in the same pass over the result.
  func isApart(_ path: String, from following: @autoclosure () -> String) -> Bool {
    !observers.isEmpty
      && (observers.wants(path).contains(.output)
        || !observers.wants(following()).isDisjoint(with: [.inputs, .output]))
  }

  /// Tells the observers of rows that 8 bits suit badly.
  /// - Parameters:
  ///   - rowCount: rows that are about to be rounded, of `columns` values each.
  ///   - values: gives a row as it will be rounded.
  func lookForOutliers(
    _ path: String, rowCount: Int, columns: Int,
    _ values: @Sendable (_ row: Int, _ scratch: Scratch) -> UnsafePointer<Float>
  ) {
    guard !isPlanning, observers.wants(path).contains(.outliers) else { return }
    let found = Atomic<Int>(0)
    let runLength = 64
    parallel((rowCount + runLength - 1) / runLength) { item, scratch in
      let count = (item * runLength..<min(rowCount, (item + 1) * runLength)).count { row in
        var statistics = ValueStatistics()
        statistics.add(UnsafeRawBufferPointer(start: values(row, scratch), count: columns * 4), dtype: .f32)
        return max(abs(statistics.minimum), abs(statistics.maximum)) > Double(ObservedValues.outlierRatio)
          * statistics.rms
      }
      found.add(count, ordering: .relaxed)
    }
    for observer in observers where observer.wants(path).contains(.outliers) {
      observer.sawOutliers(path, rows: found.load(ordering: .relaxed), of: rowCount)
    }
  }

  /// Tells the observers of the output of a block.
  public func emit(_ path: String, _ output: Activation) throws {
    try perform(
      NetworkOperation(path: path, kind: .output, operationCount: 0, weightByteCount: 0, activationByteCount: 0),
      inputs: [], output: output
    ) {}
  }

  /// Work on items in parallel; each worker has its own scratch memory.
  func parallel(_ itemCount: Int, _ body: @Sendable (_ item: Int, _ scratch: Scratch) -> Void) {
    Workers.run(threadCount: threadCount, itemCount: itemCount) { [scratch] worker, item in
      body(item, Scratch(scratch[worker].bytes))
    }
  }

  /// Calls `body` with runs of rows, in parallel, each of about `grain` values.
  func parallelRows(_ rowCount: Int, columns: Int, grain: Int = 1 << 15, _ body: @Sendable (Range<Int>) -> Void) {
    let rows = max(1, grain / max(1, columns))
    parallel((rowCount + rows - 1) / rows) { item, _ in body(item * rows..<min(rowCount, (item + 1) * rows)) }
  }
}

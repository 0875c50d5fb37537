import Encodings
import Kernels
import NetworkRuntime
import Tensors
import TestSupport

/// A matrix in memory as a weight.
func weight(_ values: [Float], outputs: Int, inputs: Int, dtype: DType = .f32) throws -> Weight {
  let buffer = try AlignedBuffer(byteCount: values.count * dtype.bitWidth / 8)
  ElementCast.narrow(count: values.count, from: values, to: buffer.bytes.baseAddress!, dtype)
  let shape = EncodedShape(MatrixShape(rows: outputs, columns: inputs), dtype: dtype)
  return Weight(
    name: "w", outputs: outputs, inputs: inputs,
    matrix: EncodedMatrix(PlainEncoding(), shape, planes: [UnsafeRawBufferPointer(buffer.bytes)]), owner: buffer)
}

/// A matrix in a group encoding, and the values it decodes to.
func quantized(
  _ values: [Float], outputs: Int, inputs: Int, bits: Int, taps: Int = 1, order: TileLayout.ColumnOrder = .source
) throws -> (weight: Weight, decoded: [Float]) {
  let shape = EncodedShape(MatrixShape(rows: outputs, columns: inputs, taps: taps), dtype: .f32, order: order)
  let coded = try EncodedValues(values, shape, bits == 8 ? GroupEncoding.int8 : .int4)
  let weight = Weight(name: "w", outputs: outputs, inputs: inputs, matrix: coded.matrix, owner: coded)
  return (weight, coded.decoded())
}

func vector(_ values: [Float]) throws -> Vector {
  try Vector(count: values.count) { _ = $0.update(fromContentsOf: values) }
}

/// Plans and runs a piece of work, and gives what it returns.
func execute<Result>(
  threads: Int = 2, mode: ComputeMode = .f32, engine: ProductEngine = .blocked,
  observers: [any Observer] = [],
  _ body: (Execution) throws -> Result
) throws -> Result {
  let byteCount = try Execution.plan(mode: mode, observers: observers.map { WantsOnly($0) }) { _ = try body($0) }
  return try body(
    Execution(
      arenaByteCount: byteCount, threadCount: threads, mode: mode, engine: engine, observers: observers))
}

extension Execution {
  /// Memory with values in it.
  func input(_ values: [Float], batch: Int = 1, height: Int = 1, width: Int, channels: Int) -> Activation {
    let x = take(batch: batch, height: height, width: width, channels: channels)
    fill(x) { _ = $0.update(fromContentsOf: values) }
    return x
  }

  func array(_ x: Activation) -> [Float] { isPlanning ? [] : Array(x.values) }
}

/// The largest difference, as a part of the largest value.
func relativeError(_ a: [Float], _ b: [Double]) -> Double {
  precondition(a.count == b.count)
  let largest = max(1e-30, b.map(abs).max() ?? 0)
  return (zip(a, b).map { abs(Double($0) - $1) }.max() ?? 0) / largest
}

import Kernels
import Runtime
import Tensors
import TestSupport

/// A matrix in memory as a weight.
func weight(_ values: [Float], outputs: Int, inputs: Int, dtype: DType = .f32) throws -> Weight {
  let buffer = try AlignedBuffer(byteCount: values.count * dtype.bitWidth / 8)
  ElementCast.narrow(count: values.count, from: values, to: buffer.bytes.baseAddress!, dtype)
  return Weight(
    name: "w", outputs: outputs, inputs: inputs, storage: .plain(dtype), bytes: UnsafeRawBufferPointer(buffer.bytes),
    owner: buffer)
}

/// A matrix in a group encoding, and the values it decodes to.
func quantized(_ values: [Float], outputs: Int, inputs: Int, bits: Int) throws -> (weight: Weight, decoded: [Float]) {
  let groups = GroupKernels.groupCount(columns: inputs)
  let stripes = (outputs + 15) / 16
  let codes = try AlignedBuffer(byteCount: stripes * groups * 64 * bits)
  let scales = try AlignedBuffer(byteCount: stripes * groups * 32)
  var decoded = [Float](repeating: 0, count: outputs * inputs)
  var sums = ErrorSums()
  for stripe in 0..<stripes {
    let rows = min(16, outputs - stripe * 16)
    let part = Array(values[stripe * 16 * inputs..<(stripe * 16 + rows) * inputs])
    let stripeCodes = UnsafeMutableRawBufferPointer(
      rebasing: codes.bytes[stripe * groups * 64 * bits..<(stripe + 1) * groups * 64 * bits])
    let stripeScales = UnsafeMutableRawBufferPointer(
      rebasing: scales.bytes[stripe * groups * 32..<(stripe + 1) * groups * 32])
    part.withUnsafeBytes {
      GroupKernels.quantize(
        $0, dtype: .f32, rowStride: inputs, rows: rows, columns: inputs, bits: bits, codes: stripeCodes,
        scales: stripeScales, sums: &sums)
    }
    decoded.withUnsafeMutableBufferPointer {
      GroupKernels.decode(
        codes: UnsafeRawBufferPointer(stripeCodes), scales: UnsafeRawBufferPointer(stripeScales), rows: rows,
        columns: inputs, bits: bits,
        out: UnsafeMutableBufferPointer(rebasing: $0[stripe * 16 * inputs..<(stripe * 16 + rows) * inputs]),
        rowStride: inputs)
    }
  }
  let weight = Weight(
    name: "w", outputs: outputs, inputs: inputs, storage: .group(bits: bits),
    bytes: UnsafeRawBufferPointer(codes.bytes), scales: UnsafeRawBufferPointer(scales.bytes), owner: [codes, scales])
  return (weight, decoded)
}

func vector(_ values: [Float]) throws -> Vector {
  try Vector(count: values.count) { _ = $0.update(fromContentsOf: values) }
}

/// Plans and runs a piece of work, and gives what it returns.
func execute<Result>(
  threads: Int = 2, products: ProductPrecision = .f32, engine: ProductEngine = .blocked,
  observer: (any Observer)? = nil,
  _ body: (Execution) throws -> Result
) throws -> Result {
  let byteCount = try Execution.plan(products: products, observer: observer) { _ = try body($0) }
  return try body(
    Execution(
      arenaByteCount: byteCount, threadCount: threads, products: products, engine: engine, observer: observer))
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

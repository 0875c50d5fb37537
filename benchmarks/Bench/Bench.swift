// Measurements inside one process. Usage: bantam-bench open FILE | quantize
import Archive
import Dispatch
import Glibc
import Kernels
import Quantization
import Tensors

/// Milliseconds of each of `count` calls, sorted.
func milliseconds(_ count: Int, _ body: () throws -> Void) rethrows -> [Double] {
  try (0..<count).map { _ in
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
  }.sorted()
}

/// Opens a native file again and again: map, read the index, check it.
func benchmarkOpen(_ path: String) throws {
  var tensorCount = 0
  let times = try milliseconds(21) { tensorCount = try Archive(path: path).index.tensors.count }
  print("open  \(tensorCount) tensors  median \(times[10]) ms  min \(times[0]) ms  max \(times[20]) ms")
}

/// Quantizes normal deviates in bf16, one thread: megabytes of input a processor second.
func benchmarkQuantize() throws {
  let (rows, columns) = (512, 4096)
  let values = try AlignedBuffer(byteCount: rows * columns * 2)
  let ones = [Float](repeating: 1, count: rows * columns)
  NormalFill().fill(
    values.bytes.assumingMemoryBound(to: UInt16.self).baseAddress!, count: rows * columns, key: 7, firstIndex: 0,
    scale: 1, columnScale: ones)
  for encoding in GroupEncoding.all {
    let codes = try AlignedBuffer(byteCount: encoding.stripeCodeByteCount(columns: columns))
    let scales = try AlignedBuffer(byteCount: encoding.stripeScaleByteCount(columns: columns))
    var sums = ErrorSums()
    let times = milliseconds(7) {
      sums = ErrorSums()
      for row in stride(from: 0, to: rows, by: 16) {
        GroupKernels.quantize(
          UnsafeRawBufferPointer(rebasing: values.bytes[(row * columns * 2)...]), dtype: .bf16, rowStride: columns,
          rows: 16, columns: columns, bits: encoding.bits, codes: codes.bytes, scales: scales.bytes, sums: &sums)
      }
    }
    print("\(encoding.shortName) \(Double(rows * columns * 2) / times[3] / 1e3) MB/s \(sums.sqnrDecibels) dB")
  }
}

@main
enum Bench {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    switch (arguments.first, arguments.count) {
    case ("open", 2): try benchmarkOpen(arguments.last!)
    case ("quantize", 1): try benchmarkQuantize()
    default:
      print("usage: bantam-bench open FILE | quantize")
      exit(64)
    }
  }
}

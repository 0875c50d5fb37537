// Measurements inside one process. Usage: bantam-bench open FILE | product FILE TENSOR | quantize | matmul
import BantamArchive
import Encodings
import Glibc
import Kernels
import NetworkRuntime
import Tensors

/// Milliseconds of each of `count` calls, sorted.
func milliseconds(_ count: Int, _ body: () throws -> Void) rethrows -> [Double] {
  try (0..<count).map { _ in
    let start = MonotonicClock.nanoseconds
    try body()
    return Double(MonotonicClock.nanoseconds - start) / 1e6
  }.sorted()
}

/// Opens a native file again and again: map, read the index, check it.
func benchmarkOpen(_ path: String) throws {
  var tensorCount = 0
  let times = try milliseconds(21) { tensorCount = try Archive(path: path).index.tensors.count }
  print("open  \(tensorCount) tensors  median \(times[10]) ms  min \(times[0]) ms  max \(times[20]) ms")
}

/// From open to the first product of a quantized tensor: time, and memory that belongs to this process alone.
func benchmarkProduct(_ path: String, _ name: String) throws {
  let before = anonymousKilobytes()
  var rows = 0
  var during = 0
  let times = try milliseconds(1) {
    let archive = try Archive(path: path)
    guard let number = archive.tensorNumber(TensorName(name)), let tensor = archive.encoded(number),
      tensor.encoding.hasDots
    else {
      print("\(name) is not a quantized tensor of this file")
      exit(66)
    }
    let mapping = try MappedFile(archive.file)
    let planes = try archive.owner(of: number).planes.map { plane in
      try archive.bytes(of: plane, named: tensor.info.name, in: mapping)
    }
    rows = tensor.shape.rows
    let output = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows)
    defer { output.deallocate() }
    try Activations(rows: 1, columns: tensor.shape.columns) { _ in 1 }.multiply(
      EncodedMatrix(tensor.encoding, tensor.shape, planes: planes), into: output.baseAddress!, threads: 1)
    during = anonymousKilobytes()
  }
  print(
    "open and first product of \(rows) outputs  \(times[0]) ms  anonymous memory \(during - before) kB more than before"
  )
}

/// Quantized rows in memory of their own.
struct Activations {
  let memory: AlignedBuffer
  let groups: QuantizedGroups
  let rows: Int
  let groupsOfRow: Int

  init(rows: Int, columns: Int, _ value: (Int) -> Float) throws {
    self.rows = rows
    groupsOfRow = GroupTile.count(columns: columns)
    memory = try AlignedBuffer(byteCount: rows * groupsOfRow * QuantizedGroups.byteCount)
    groups = QuantizedGroups(memory.bytes.baseAddress!, count: rows * groupsOfRow)
    groups.quantize((0..<rows * columns).map(value), rowCount: rows, columns: columns, at: 0)
  }

  /// Products with all outputs, whose tiles threads share in runs of four.
  func multiply(_ matrix: EncodedMatrix, into output: UnsafeMutablePointer<Float>, threads: Int) {
    let outputs = matrix.shape.rows
    let runs = (outputs + 4 * GroupTile.rows - 1) / (4 * GroupTile.rows)
    nonisolated(unsafe) let output = output
    Workers.share(partCount: threads) { part in
      let first = runs * part / threads * 4 * GroupTile.rows
      let last = min(outputs, runs * (part + 1) / threads * 4 * GroupTile.rows)
      guard first < last else { return }
      withUnsafePointer(to: 0) { start in
        matrix.encoding.multiply(
          matrix, outputs: first..<last,
          by: QuantizedRows(
            groups, first: 0, rowCount: rows, stride: groupsOfRow, runs: .init(start: start, count: 1),
            runGroups: groupsOfRow), into: output + first, stride: outputs)
      }
    }
  }
}

/// `RssAnon` of this process.
func anonymousKilobytes() -> Int {
  guard let file = fopen("/proc/self/status", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, 256, file) != nil {
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if text.hasPrefix("RssAnon:") { return Int(text.filter(\.isNumber)) ?? 0 }
  }
  return 0
}

/// Quantizes normal deviates in bf16, one thread: megabytes of input a processor second.
func benchmarkQuantize() throws {
  let (rows, columns) = (512, 4096)
  let values = try AlignedBuffer(byteCount: rows * columns * 2)
  let ones = [Float](repeating: 1, count: rows * columns)
  NormalFill().fill(
    values.bytes.assumingMemoryBound(to: UInt16.self).baseAddress!, count: rows * columns, key: 7, firstIndex: 0,
    scale: 1, columnScale: ones)
  let shape = EncodedShape(MatrixShape(rows: rows, columns: columns), dtype: .f32)
  for encoding in KnownEncodings.quantizing {
    let stripe = try encoding.planes(of: shape)!.indices.map { plane in
      try AlignedBuffer(byteCount: encoding.byteCount(plane: plane, of: shape, columns: columns))
    }
    var sums = ErrorSums()
    let times = milliseconds(7) {
      sums = ErrorSums()
      for row in stride(from: 0, to: rows, by: 16) {
        encoding.solver?.encode(
          UnsafeRawBufferPointer(rebasing: values.bytes[(row * columns * 2)...]), dtype: .bf16, rowStride: columns,
          rows: 16, columns: columns, segmentColumns: columns, guide: nil, into: stripe.map(\.bytes), sums: &sums)
      }
    }
    print("\(encoding.shortName) \(Double(rows * columns * 2) / times[3] / 1e3) MB/s \(sums.sqnrDecibels) dB")
  }
}

/// Products over planes that do not fit the cache: one row against what memory gives, many rows against what the units give.
func benchmarkMatmul() throws {
  // Eight matrices of the 8B's feed-forward shape.
  let (outputs, columns, copies) = (18944, 3584, 8)
  let reads = try MemoryRead.ofPrivateMemory(threadCounts: [1, 2], available: 3 * outputs * columns * copies)
  let read = (one: reads[0].rate / 1e9, two: reads[1].rate / 1e9)
  print("read  1 thread \(read.one) GB/s  2 threads \(read.two) GB/s")
  let shape = EncodedShape(MatrixShape(rows: outputs, columns: columns), dtype: .f32)
  for encoding in KnownEncodings.quantizing where encoding.hasDots {
    // Any bytes are codes and multiples; scales of 16 bits have to be numbers.
    let planes = try encoding.planes(of: shape)!.map { plane in
      let buffer = try AlignedBuffer(byteCount: plane.byteCount * copies)
      let isWide = plane.byteCount > 1 && plane.layout == .tiled(GroupEncoding.scaleLayout)
      for index in buffer.bytes.indices {
        buffer.bytes[index] = isWide ? 0x20 : UInt8(truncatingIfNeeded: index &* 0x9E37_79B1 >> 13)
      }
      return (bytes: buffer, size: plane.byteCount)
    }
    let size = planes.reduce(0) { $0 + $1.size }
    let matrices = (0..<copies).map { copy in
      EncodedMatrix(
        encoding, shape,
        planes: planes.map { UnsafeRawBufferPointer(rebasing: $0.bytes.bytes[copy * $0.size..<(copy + 1) * $0.size]) })
    }
    defer { withExtendedLifetime(planes) {} }
    for (rows, threads) in [(1, 1), (1, 2), (66, 1), (66, 2), (510, 1)] {
      let activations = try Activations(rows: rows, columns: columns) { Float($0 % 97) - 48 }
      let output = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows * outputs)
      defer { output.deallocate() }
      let used = rows == 1 ? copies : 1
      let times = milliseconds(7) {
        for copy in 0..<used {
          activations.multiply(matrices[copy], into: output.baseAddress!, threads: threads)
        }
      }
      let title = "\(encoding.shortName)  \(rows) rows  \(threads) threads"
      if rows == 1 {
        let rate = Double(size * copies) / times[3] / 1e6
        print("\(title)  \(rate) GB/s  \(rate / (threads == 1 ? read.one : read.two)) of read")
      } else {
        print("\(title)  \(2 * Double(rows * outputs * columns) / times[3] / 1e6 / Double(threads)) GOP/s a thread")
      }
    }
  }
}

@main
enum Bench {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    switch (arguments.first, arguments.count) {
    case ("open", 2): try benchmarkOpen(arguments.last!)
    case ("product", 3): try benchmarkProduct(arguments.dropFirst().first!, arguments.last!)
    case ("quantize", 1): try benchmarkQuantize()
    case ("matmul", 1): try benchmarkMatmul()
    case ("network", 3...7):
      let rest = Array(arguments.dropFirst())
      func number(_ index: Int) -> Int? { rest.count > index ? Int(rest[index]) : nil }
      try benchmarkNetwork(
        rest[0], rest[1], number(2).flatMap { $0 > 0 ? $0 : nil }, repeats: number(3) ?? 5, threads: number(4) ?? 2,
        mode: rest.last.flatMap(ComputeMode.init) ?? .f32)
    default:
      print(
        "usage: bantam-bench open FILE | product FILE TENSOR | quantize | matmul\n"
          + "       bantam-bench network MODEL llm|decode|vision|dit|unet|vae [SIZE|0] [REPEATS] [THREADS] [f32|bf16|int8|auto]"
      )
      exit(64)
    }
  }
}

import ArgumentParser
import Foundation
import Glibc
import JSON
import Kernels
import Report
import Runtime
import Tensors

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what this machine gives to the networks: processor, memory, products and their rates.",
    discussion: """
      EXAMPLES
        bantam doctor
        bantam doctor --json
      """)

  @Flag(help: "Print a JSON document.")
  var json = false

  func run() throws {
    let sets = InstructionSets.current
    let blas = OpenBLAS.shared
    let rates = try ProductRates()
    let memory = Self.memory
    if json {
      let document: JSONValue = .members([
        "schema": "bantam.doctor.1", "processor": .string(Self.processor),
        "processors": .int(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
        "instruction_sets": .array(sets.names.map { .string($0) }), "memory_bytes": .int(memory.total),
        "memory_available_bytes": .int(memory.available),
        "engine": .string(ProductEngine.preferred.rawValue),
        "openblas_core": blas.map { .string($0.coreName) } ?? .null,
        "bf16_products_fast": .bool(PairProduct.isFast),
        "gflops_per_thread": .members([
          "blocked": .double(rates.blocked), "openblas": rates.openBLAS.map { .double($0) } ?? .null,
          "bf16": rates.pairs.map { .double($0) } ?? .null,
        ]),
      ])
      return Terminal.print(document.text(indent: 2))
    }
    func rate(_ value: Double) -> String { "\(Int(value)) GFLOP/s a thread" }
    Terminal.print(
      """
      processor     \(Self.processor), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) in use
      instructions  \(sets.names.joined(separator: ", "))
      memory        \(Quantity.bytes(memory.total)), \(Quantity.bytes(memory.available)) available
      f32 products  \(ProductEngine.preferred.rawValue)
        blocked     \(rate(rates.blocked))
        openblas    \(blas.map { "\(rate(rates.openBLAS ?? 0)), core \($0.coreName)" } ?? "not there: install libopenblas0-pthread")
      bf16 products \(rates.pairs.map(rate) ?? "right, but slow: this processor has no instruction for them")
      """)
  }

  /// The system's own files have no size, so they are read to their end.
  private static func text(of file: String) -> String {
    String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
  }

  /// The name that the system gives.
  static var processor: String {
    let text = text(of: "/proc/cpuinfo")
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line.flatMap { $0.split(separator: ":").last }.map { printable(String($0.drop { $0 == " " })) } ?? "unknown"
  }

  static var memory: (total: Int, available: Int) {
    let text = text(of: "/proc/meminfo")
    func value(_ key: String) -> Int {
      let line = text.split(separator: "\n").first { $0.hasPrefix(key + ":") }
      return (line.flatMap { Int($0.filter(\.isNumber)) } ?? 0) << 10
    }
    return (value("MemTotal"), value("MemAvailable"))
  }
}

/// Rates of products on one thread, found by trying.
private struct ProductRates {
  let blocked: Double
  let openBLAS: Double?
  /// Nil where they would be slow.
  let pairs: Double?

  private static let (rows, columns, depth) = (192, 256, 512)

  init() throws {
    let (rows, columns, depth) = (Self.rows, Self.columns, Self.depth)
    let a = try AlignedBuffer(byteCount: rows * depth * 4)
    let b = try AlignedBuffer(byteCount: columns * depth * 4)
    let c = try AlignedBuffer(byteCount: rows * columns * 4)
    let panel = try AlignedBuffer(byteCount: PanelProduct.columns * depth * 4)
    for buffer in [a, b, c, panel] { buffer.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
    func floats(_ buffer: AlignedBuffer) -> UnsafeMutablePointer<Float> {
      buffer.bytes.assumingMemoryBound(to: Float.self).baseAddress!
    }
    func halves(_ buffer: AlignedBuffer) -> UnsafeMutablePointer<UInt16> {
      buffer.bytes.assumingMemoryBound(to: UInt16.self).baseAddress!
    }
    blocked = Self.rate {
      for column in stride(from: 0, to: columns, by: PanelProduct.columns) {
        PanelProduct.packRows(
          floats(b) + column * depth, dtype: .f32, stride: depth, columns: PanelProduct.columns, depth: depth,
          panel: floats(panel))
        PanelProduct.multiplyAdd(
          a: floats(a), aStride: depth, rows: rows, panel: floats(panel), depth: depth, c: floats(c) + column,
          cStride: columns, columns: PanelProduct.columns)
      }
    }
    openBLAS = OpenBLAS.shared.map { blas in
      Self.rate {
        blas.multiply(
          rows: rows, columns: columns, depth: depth, a: floats(a), aStride: depth, b: floats(b), bStride: depth,
          c: floats(c), cStride: columns, adding: false)
      }
    }
    guard PairProduct.isFast else {
      pairs = nil
      return
    }
    pairs = Self.rate {
      for column in stride(from: 0, to: columns, by: PanelProduct.columns) {
        PairProduct.packRows(
          halves(b) + column * depth, stride: depth, columns: PanelProduct.columns, depth: depth, panel: halves(panel))
        PairProduct.multiplyAdd(
          a: halves(a), aStride: depth, rows: rows, panel: halves(panel), depth: depth, c: floats(c) + column,
          cStride: columns, columns: PanelProduct.columns)
      }
    }
  }

  /// GFLOP/s of the best of a few tries.
  private static func rate(_ body: () -> Void) -> Double {
    body()
    let best = (0..<15).map { _ in
      let start = MonotonicClock.nanoseconds
      body()
      return MonotonicClock.nanoseconds - start
    }.min()!
    return Double(2 * rows * columns * depth) / Double(max(1, best))
  }
}

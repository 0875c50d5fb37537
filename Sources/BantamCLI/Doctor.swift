import Documents
import ArgumentParser
import Foundation
import Glibc
import JSONText
import Kernels
import NetworkRuntime
import Reports
import Tensors

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what this machine gives to the networks: processor, memory, products and their rates.",
    discussion: """
      Memory is read in every way that may suit a processor, with one thread and with all, and the best is shown. With a file of 3 GB or
      more, the same is tried on the mapped file: what a token of a model can at best reach.

      EXAMPLES
        bantam doctor
        bantam doctor 8b-int4.bantam
        bantam doctor --json
      """)

  @Argument(help: "A large file, such as a model, to be read as memory.")
  var file: String?

  @Flag(help: "Print a JSON document.")
  var json = false

  func run() throws {
    let threadCounts = Set([1, Workers.usualCount]).sorted()
    let onFile = try file.map { try MemoryRead.ofFile(path: $0, threadCounts: threadCounts) } ?? []
    if let file, onFile.isEmpty { throw ValidationError("'\(file)' is too small to tell how fast memory is") }
    let sets = InstructionSets.current
    let blas = OpenBLAS.shared
    let rates = try ProductRates()
    let memory = Self.memory
    let reads = try MemoryRead.ofPrivateMemory(
      threadCounts: threadCounts, available: SystemMemory.available ?? memory.available)
    if json {
      let document: JSONValue = .members([
        "schema": "bantam.doctor.1", "processor": .string(Self.processor),
        "processors": .int(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
        "instruction_sets": .array(sets.names.map { .string($0) }), "memory_bytes": .int(memory.total),
        "memory_available_bytes": .int(memory.available),
        "engine": .string(ProductEngine.preferred.rawValue),
        "openblas_core": blas.map { .string($0.coreName) } ?? .null,
        "bf16_products_fast": .bool(PairProduct.isWorthIt),
        "gflops_per_thread": .members([
          "blocked": .double(rates.panels()), "openblas": rates.openBLAS().map { .double($0) } ?? .null,
          "bf16": rates.pairs().map { .double($0) } ?? .null, "int8": .double(rates.dots(bits: 8)),
          "int4": .double(rates.dots(bits: 4)),
        ]),
        "memory_reads": Self.document(reads, threadCounts),
        "file_reads": file == nil ? .null : Self.document(onFile, threadCounts),
      ])
      return Terminal.print(document)
    }
    func read(_ reads: [MemoryRead]) -> String {
      zip(threadCounts, reads).map { threads, read in
        "\(Quantity.fixed(read.rate / 1e9, 1)) GB/s with \(threads) thread\(threads == 1 ? "" : "s")"
      }.joined(separator: ", ")
    }
    func rate(_ value: Double) -> String { "\(Int(value)) GFLOP/s a thread" }
    let openBLAS = blas.map { "\(rate(rates.openBLAS() ?? 0)), core \($0.coreName)" }
    Terminal.print(
      lines: [
        "processor     \(Self.processor), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) in use",
        "instructions  \(sets.names.joined(separator: ", "))",
        "memory        \(Quantity.bytes(memory.total)), \(Quantity.bytes(memory.available)) available",
        "  reads       \(read(reads))",
      ] + (onFile.isEmpty ? [] : ["  mapped file \(read(onFile))"]) + [
        "f32 products  \(ProductEngine.preferred.rawValue)",
        "  blocked     \(rate(rates.panels()))",
        "  openblas    \(openBLAS ?? "not there: install libopenblas0-pthread")",
        "8-bit dots    with int8 weights \(Int(rates.dots(bits: 8))), with int4 \(Int(rates.dots(bits: 4))) GOP/s a thread",
        "bf16 products \(rates.pairs().map(rate) ?? "right, but slow: this processor has no instruction for them")",
      ])
  }

  private static func document(_ reads: [MemoryRead], _ threadCounts: [Int]) -> JSONValue {
    .array(
      zip(threadCounts, reads).map { threads, read in
        .members([
          "threads": .int(threads), "bytes_per_second": .double(read.rate), "streams": .int(read.streamCount),
          "prefetch_bytes": .int(read.prefetchDistance),
        ])
      })
  }

  /// The system's own files have no size, so they are read to their end.
  private static func text(of file: String) -> String {
    String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
  }

  /// The name that the system gives.
  static var processor: String {
    let text = text(of: "/proc/cpuinfo")
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line.flatMap { $0.split(separator: ":").last }.map { String($0.drop { $0 == " " }) } ?? "unknown"
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

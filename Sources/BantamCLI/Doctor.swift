import ArgumentParser
import Documents
import Encodings
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

  @OptionGroup var report: ReportOptions

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
    var document = Document(schema: "bantam.doctor.1")
    document.fact("processor", "processor", .text(Self.processor))
    document.fact("processors", "  in use", .count(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    document.fact("instruction_sets", "instructions", .list(sets.names))
    document.fact("memory_bytes", "memory", .bytes(memory.total))
    document.fact("memory_available_bytes", "  available", .bytes(memory.available))
    document.fact("engine", "f32 products", .text(ProductEngine.preferred.rawValue))
    document.fact("openblas_core", "openblas", blas.map { .text($0.coreName) } ?? .absent)
    document.data("bf16_products_fast", .bool(PairProduct.isWorthIt))
    Self.add(rates, to: &document)
    document.add(Self.table("memory_reads", "threads on memory", reads, threadCounts))
    if file == nil {
      document.data("file_reads", .null)
    } else {
      document.add(Self.table("file_reads", "threads on the file", onFile, threadCounts))
    }
    report.show(document)
  }

  private static func add(_ rates: ProductRates, to document: inout Document) {
    let peaks = InstructionPeaks()
    let products: [(key: String, title: String, rate: Double?, peak: Double?)] = [
      ("blocked", "f32 blocked", rates.panels(), peaks.f32), ("openblas", "f32 openblas", rates.openBLAS(), peaks.f32),
      ("bf16", "bf16", rates.pairs(), peaks.bf16),
      ("int8", "8-bit dots, int8 weights", rates.dots(bits: 8), peaks.dots),
      ("int4", "8-bit dots, int4 weights", rates.dots(bits: 4), peaks.dots),
      ("book4", "8-bit dots, book4 weights", rates.dots(book: BookEncoding.book4.book), peaks.dots),
      ("even8", "8-bit dots, even8 weights", rates.dots(book: BookEncoding.even8.book), peaks.dots),
    ]
    document.data("gflops_per_thread", .object(products.map { .init($0.key, .number($0.rate)) }))
    document.data(
      "peak_gflops_per_thread",
      .object([
        .init("f32", .number(peaks.f32)), .init("bf16", .number(peaks.bf16)), .init("dots", .number(peaks.dots)),
      ]))
    var table = Table(
      nil, [.init(nil, "products"), .init(nil, "GFLOP/s a thread"), .init(nil, "instructions alone")])
    for product in products {
      table.add([
        .text(product.title), product.rate.map { .number($0, places: 0) } ?? .absent,
        product.peak.map { .number($0, places: 0) } ?? .absent,
      ])
    }
    document.add(table)
    func isMissing(_ key: String) -> Bool { products.contains { $0.key == key && $0.rate == nil } }
    if isMissing("openblas") { document.note("openblas is not there: install libopenblas0-pthread") }
    if isMissing("bf16") {
      document.note("bf16 products are right, but slow: this processor has no instruction for them")
    }
  }

  private static func table(_ key: String, _ title: String, _ reads: [MemoryRead], _ threadCounts: [Int]) -> Table {
    var table = Table(
      key,
      [
        .init("threads", title), .init("bytes_per_second", nil), .init(nil, "GB/s"), .init("streams", "streams"),
        .init("prefetch_bytes", "prefetch"),
      ])
    for (threads, read) in zip(threadCounts, reads) {
      table.add([
        .count(threads), .number(read.rate, places: 0), .number(read.rate / 1e9, places: 1), .count(read.streamCount),
        .bytes(read.prefetchDistance),
      ])
    }
    return table
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

import ArgumentParser
import Blip3o
import Documents
import Kernels
import NetworkRuntime
import Observation
import Reports
import Tensors

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the networks: prompts, tokens and steps, by mode and threads.",
    discussion: """
      Inputs are made up, times are of calls after a first one; what a picture needs once, such as keys of what it is painted from, is not
      in its steps. The limit of a token is what memory gives, that of all else what products on operands in the cache reach.

      EXAMPLES
        bantam bench 8b-int4.bantam
        bantam bench 8b-int4.bantam --networks llm:32,llm:512,decode --modes f32,auto
        bantam bench 8b-int4.bantam --networks unet:64,dit --threads 1,2 --repeats 5 --format md
      """)

  @Argument(help: "A release folder or a .bantam file.")
  var model: String

  @Option(
    help: ArgumentHelp(
      "Networks, each with a size where it has one: llm:TOKENS, decode:TOKENS, vision:SIDE, dit, unet:SIDE, vae:SIDE.",
      valueName: "list"))
  var networks = NetworkTrial.usualList

  @Option(help: ArgumentHelp("Modes: f32, bf16, int8, auto.", valueName: "list"))
  var modes = "f32,auto"

  @Option(help: ArgumentHelp("Numbers of threads. (default: one a processor)", valueName: "list"))
  var threads: String?

  @Option(help: "Calls of each.")
  var repeats = 5

  @Option(help: ArgumentHelp("text, md, csv or json.", valueName: "format"))
  var format = DocumentFormat.text

  @OptionGroup var report: ReportOptions

  @Flag(name: .shortAndLong, help: "No progress, no notes.")
  var quiet = false

  func validate() throws {
    guard (1...1000).contains(repeats) else { throw ValidationError("--repeats is 1 to 1000") }
    _ = try (trials(), wantedModes(), threadCounts())
  }

  private func trials() throws -> [(kind: NetworkTrial.Kind, size: Int)] {
    try list(networks).map { item in
      let parts = item.split(separator: ":", omittingEmptySubsequences: false)
      guard let kind = NetworkTrial.Kind(rawValue: String(parts[0])), parts.count <= 2 else {
        throw ValidationError(
          "--networks knows " + NetworkTrial.Kind.allCases.map(\.rawValue).joined(separator: ", ") + ", not '\(item)'")
      }
      guard let size = parts.count == 2 ? Int(parts[1]) : kind.usualSize, (1...4096).contains(size) else {
        throw ValidationError("'\(item)': a size is 1 to 4096")
      }
      if let problem = kind.problem(size: size) { throw ValidationError("'\(item)': \(problem)") }
      return (kind, size)
    }
  }

  private func wantedModes() throws -> [ComputeMode] {
    try list(modes).map { name in
      guard let mode = ComputeMode(rawValue: name) else { throw ValidationError("--modes: '\(name)' is no mode") }
      return mode
    }
  }

  private func threadCounts() throws -> [Int] {
    guard let threads else { return [RunOptions.defaultThreadCount] }
    return try list(threads).map { text in
      guard let count = Int(text), (1...1024).contains(count) else {
        throw ValidationError("--threads takes numbers from 1 to 1024")
      }
      return count
    }
  }

  private func list(_ text: String) throws -> [String] {
    let items = splitList(text) ?? []
    guard !items.isEmpty else { throw ValidationError("a list is empty") }
    return items
  }

  func run() throws {
    let model = try Model(path: model)
    let rates = try ProductRates()
    var speeds = BenchReport(path: self.model)
    let counts = try threadCounts()
    let reads = try zip(
      counts, MemoryRead.ofPrivateMemory(threadCounts: counts, available: SystemMemory.available ?? 1 << 30))
    for (threads, memory) in reads {
      for (kind, size) in try trials() {
        let trial = try NetworkTrial(model, kind, size: size)
        for mode in try wantedModes() {
          if !quiet { Terminal.say("\(kind.rawValue) \(size)  \(mode.rawValue)  \(threads) threads") }
          let timing = try NetworkTiming(mode: mode, threadCount: threads, repeats: repeats, trial.begin)
          speeds.rows.append(
            .init(
              network: kind.rawValue, size: size, mode: mode, threads: threads, timing: timing,
              limit: kind.isOneRow ? memory.rate : Double(threads) * rate(of: mode, rates) * 1e9,
              isBoundByMemory: kind.isOneRow))
        }
      }
    }
    report.show(speeds.document, as: format)
  }

  /// The best that products of a mode reach on a thread, GOP/s.
  private func rate(of mode: ComputeMode, _ rates: ProductRates) -> Double {
    switch mode {
    case .f32: max(rates.panels(), rates.openBLAS() ?? 0)
    case .bf16: rates.pairs() ?? rates.panels()
    case .int8, .auto: max(rates.dots(bits: 8), rates.dots(bits: 4))
    }
  }
}

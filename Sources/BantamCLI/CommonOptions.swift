import ArgumentParser
import Documents
import Glibc
import ModelSources
import Tensors

/// How much of the machine a command takes, and whether it talks.
struct EffortOptions: ParsableArguments {
  @Option(help: "Threads to use. (default: one a processor)")
  var threads: Int?

  @Flag(name: .shortAndLong, help: "No progress, no notes.")
  var quiet = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes a number from 1 to 1024") }
  }
}

/// Options of commands that do long work.
struct WorkOptions: ParsableArguments {
  @OptionGroup var effort: EffortOptions

  @Option(help: ArgumentHelp("Memory for buffers, such as 64M or 1G.", valueName: "size"))
  var memory: String?

  var threads: Int? { effort.threads }
  var quiet: Bool { effort.quiet }

  func validate() throws {
    if let memory, Quantity.parseBytes(memory) == nil { throw ValidationError("--memory takes a size such as 64M") }
  }

  /// Resources with a meter for `total` bytes.
  func resources(_ title: String, total: Int) -> (Resources, ProgressMeter) {
    let meter = ProgressMeter(title, total: total, isShown: !quiet)
    return (resources { meter.add($0) }, meter)
  }

  func resources(progress: @escaping @Sendable (Int) -> Void = { _ in }) -> Resources {
    Resources(
      threadCount: threads ?? Resources.defaultThreadCount,
      memoryByteCount: memory.flatMap(Quantity.parseBytes) ?? 128 << 20, progress: progress)
  }
}

/// A list such as `llm,dit`.
func splitList(_ text: String?) -> [String]? {
  text.map { $0.split(separator: ",").map { String($0.filter { $0 != " " }) } }
}

enum TargetDType: String, ExpressibleByArgument, CaseIterable {
  case keep, f32, f16, bf16

  var dtype: DType? {
    switch self {
    case .keep: nil
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    }
  }
}

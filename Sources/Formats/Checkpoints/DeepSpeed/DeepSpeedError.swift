import Tensors

/// Why the state of a DeepSpeed run cannot be read as weights.
public enum DeepSpeedError: PlacelessError, Equatable {
  case torch(file: String, TorchError)
  /// Weights that tensor parallelism has cut; only the model's own code knows how they go together.
  case tensorParallel(file: String)
  case filesMissing(first: String, count: Int)
  case severalSteps([String])
  case notState(file: String, key: String)
  case stage(file: String, found: Int)
  case ranks(file: String, expected: Int, found: Int)
  case badShape(name: TensorName)
  case badGroups(file: String)
  case groupsDiffer(file: String)
  /// The partitions hold another number of elements than the parameters need.
  case leftOver(expected: Int, found: Int)
  case fragmentMissing(name: TensorName, file: String)
  case badLatest(text: String)

  /// The report for the folder at `path`.
  public func report(at path: String) -> ErrorReport {
    let bad = BadData(at: path)
    switch self {
    case .torch(let file, let error): return error.report(at: Folder.join(path, file))
    case .tensorParallel(let file):
      return bad(
        "holds weights cut by tensor parallelism: '\(file)'", "mp_rank_00 alone", nil,
        "Merge them with the training program's own script")
    case .filesMissing(let first, let count):
      return bad(
        "\(count) files of the partitioned state are missing, first '\(first)'", nil, nil,
        "Copy the state of every process")
    case .severalSteps(let names):
      return bad(
        "holds several steps and no file 'latest' that names one", "one of them",
        names.prefix(3).map { "'\($0)'" }.joined(separator: ", "), "Name the step's folder")
    case .notState(let file, let key): return bad("'\(file)' has no '\(key)' as DeepSpeed writes it")
    case .stage(let file, let found):
      return bad("'\(file)' is of another ZeRO stage than its name says", "3", "\(found)")
    case .ranks(let file, let expected, let found):
      return bad("'\(file)' is of another number of processes", "\(expected) files", "\(found)")
    case .badShape(let name): return bad("parameter '\(name)' has a shape that is no list of sizes, or overflows")
    case .badGroups(let file): return bad("'\(file)' has fp32_flat_groups that are no plain vectors of f32")
    case .groupsDiffer(let file): return bad("'\(file)' has groups of other sizes than the first process")
    case .leftOver(let expected, let found):
      return bad("the partitions do not hold what the parameters need", "\(expected) elements a process", "\(found)")
    case .fragmentMissing(let name, let file):
      return bad("'\(file)' has no plain fragment of the frozen parameter '\(name)'")
    case .badLatest(let text):
      return bad("file 'latest' names no folder beside it", "global_step...", "'\(text)'")
    }
  }
}

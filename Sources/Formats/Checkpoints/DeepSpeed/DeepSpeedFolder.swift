import PickleFiles
import Tensors

/// The state that DeepSpeed leaves of one step, by the names of its files. Source: DeepSpeed, `runtime/engine.py`.
struct DeepSpeedFolder {
  enum Kind {
    /// Stages 1 and 2: the weights stand whole in one file.
    case whole(file: String)
    /// Stage 3: each process has its part of every parameter. Files by process.
    case partitioned(models: [String], optimizers: [String])
  }

  let kind: Kind

  /// Nil where the names are not of DeepSpeed's state.
  init?(names: [String], path: String) throws(CheckpointError) {
    let models = names.filter { $0.hasSuffix("_model_states.pt") }
    guard !models.isEmpty else { return nil }
    if let cut = models.first(where: { !$0.hasSuffix("mp_rank_00_model_states.pt") }) {
      throw .deepSpeed(path: path, .tensorParallel(file: cut))
    }
    guard models.contains(where: { $0.hasPrefix("zero_pp_rank_") }) else {
      kind = .whole(file: models[0])
      return
    }
    let optimizers = names.filter { $0.hasSuffix("_optim_states.pt") }
    let prefix = optimizers.lazy.compactMap { name in ["bf16_", "fp16_"].first(where: name.hasPrefix) }.first ?? ""
    func file(_ rank: Int, _ prefix: String, _ ending: String) -> String {
      "\(prefix)zero_pp_rank_\(rank)_mp_rank_00_\(ending)_states.pt"
    }
    let ranks = 0..<max(models.count, optimizers.count)
    let expected = (ranks.map { file($0, "", "model") }, ranks.map { file($0, prefix, "optim") })
    let missing = (expected.0 + expected.1).filter { !names.contains($0) }
    if let first = missing.first {
      throw .deepSpeed(path: path, .filesMissing(first: first, count: missing.count))
    }
    kind = .partitioned(models: expected.0, optimizers: expected.1)
  }

  // MARK: Steps

  /// Folders that hold a step's state, by name.
  static func steps(among names: [String]) -> Set<String> {
    Set(names.filter { $0.hasPrefix("global_step") && $0.dropFirst(11).allSatisfy(\.isNumber) })
  }

  /// The step that counts: the only one, or the one that the file `latest` names.
  static func latest(in folder: String, steps: Set<String>) throws(CheckpointError) -> String? {
    let file = Folder.join(folder, "latest")
    guard Folder.hasFile(file) else {
      guard steps.count == 1 else { throw .deepSpeed(path: folder, .severalSteps(steps.sorted())) }
      return steps.first
    }
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: file).contents(limit: 4096) } catch { throw .file(error) }
    let text = String(decoding: bytes, as: UTF8.self)
    let name = String(text.prefix { !$0.isWhitespace })
    guard steps.contains(name) else { throw .deepSpeed(path: folder, .badLatest(text: text)) }
    return name
  }

  // MARK: Reading

  typealias Contents = (files: [Checkpoint.File], entries: [Checkpoint.Entry], notes: [String])

  /// - Parameters:
  ///   - path: the folder.
  ///   - folder: the same below the checkpoint's root.
  ///   - firstFile: index that the first file gets.
  func read(path: String, folder: String, firstFile: Int) throws(CheckpointError) -> Contents {
    do throws(DeepSpeedError) {
      switch kind {
      case .whole(let name):
        let file = try DeepSpeedFile(path: path, name: name)
        let entries = try file.perform { (torch) throws(TorchError) in
          let state = try TorchState(torch.document, key: "module")
          return try torch.entries(of: state.tensors, folder: folder, fileIndex: firstFile)
        }
        guard !entries.isEmpty else { throw .notState(file: name, key: "module") }
        return ([file.listed(in: folder, as: "DeepSpeed state")], entries, [])
      case .partitioned(let models, let optimizers):
        var merger = ZeroMerger(
          path: path, folder: folder, firstFile: firstFile, models: models, optimizers: optimizers)
        let entries = try merger.merged()
        return (merger.files, entries, ["merged from the partitions of \(models.count) processes"])
      }
    } catch { throw .deepSpeed(path: path, error) }
  }
}

/// One file of DeepSpeed's state.
struct DeepSpeedFile {
  let name: String
  let torch: TorchFile

  init(path: String, name: String) throws(DeepSpeedError) {
    self.name = name
    do throws(TorchError) {
      torch = try TorchFile(path: Folder.join(path, name))
    } catch { throw .torch(file: name, error) }
  }

  func listed(in folder: String, as format: String) -> Checkpoint.File {
    Checkpoint.File(
      relativePath: Folder.join(folder, name), source: torch.file, format: format, metadata: [])
  }

  /// The value of a key of the file's dict.
  func value(_ key: String) throws(DeepSpeedError) -> PickleValue {
    guard let value = TorchState.value(of: key, in: torch.document.root, torch.document) else {
      throw .notState(file: name, key: key)
    }
    return value
  }

  /// A tensor whose elements lie one after another, and where they do; nil for anything else.
  func plainTensor(
    _ value: PickleValue, name: TensorName
  ) throws(DeepSpeedError) -> (info: TensorInfo, offset: Int)? {
    try perform { (torch) throws(TorchError) in
      guard let tensor = try TorchTensor(value, name: name, in: torch.document), tensor.strides.isContiguous else {
        return nil
      }
      return (tensor.info, try torch.place(of: tensor))
    }
  }

  func perform<Value>(_ body: (TorchFile) throws(TorchError) -> Value) throws(DeepSpeedError) -> Value {
    do { return try body(torch) } catch { throw .torch(file: name, error) }
  }
}

import GGUF
import JSONText
import Tensors
import ZipFiles

/// What can be wrong with a checkpoint on disk, beyond the bytes of one file.
public enum CheckpointError: ReportingError, Equatable {
  case file(FileError)
  case safetensors(path: String, SafetensorsError)
  case json(path: String, JSONError)
  case torch(path: String, TorchError)
  case zip(path: String, ZipError)
  case gguf(path: String, GGUFError)
  case numPy(path: String, NumPyError)
  case deepSpeed(path: String, DeepSpeedError)
  /// A file that is no checkpoint; `looksLike` says what it is.
  case notACheckpoint(path: String, looksLike: String, hint: String?)
  case indexWithoutWeightMap(path: String)
  case indexEmpty(path: String)
  case indexLeadsOutside(path: String, tensor: TensorName, file: String)
  case indexNamesOtherFormat(path: String, tensor: TensorName, file: String)
  case indexNameTooLong(path: String)
  case shardMissing(path: String, shard: String, missing: [String])
  case shardUnfinished(path: String, shard: String)
  /// The index names a tensor that its shard does not hold.
  case tensorNotInShard(path: String, shard: String, tensor: TensorName)
  /// A shard holds a tensor that the index does not name, or names elsewhere.
  case tensorNotInIndex(path: String, shard: String, tensor: TensorName)
  case tensorInTwoShards(path: String, tensor: TensorName, first: String, second: String)
  /// Shards by name, without an index to say which belong together.
  case shardsWithoutIndex(path: String, shard: String)
  /// A part of a split GGUF model says another thing of itself than its name does.
  case splitDiffers(path: String, key: String, expected: Int, found: String)
  /// An index names files that are not there, while the folder holds others.
  case staleIndex(path: String, index: String, missing: Int, present: [String])
  /// Several training checkpoints, and nothing that says which one is meant.
  case severalCheckpoints(path: String, names: [String])
  /// Weights that are still being fetched.
  case downloadUnfinished(path: String, file: String)
  /// The state of a distributed run, in the form of torch.distributed.checkpoint.
  case distributed(path: String)
  case severalIndexes(path: String, first: String, second: String)
  case noWeights(path: String)
  /// A tensor in a form that can be listed, but whose values are not read.
  case notRead(path: String, tensor: TensorName, encoding: String)
  /// All tensors together claim more than any model has.
  case claimsTooMuch(path: String)
  case notInCache(repository: String, cache: String)
  case snapshotMissing(repository: String, revision: String)
  case badReference(repository: String, text: String)

  public var report: ErrorReport {
    func bad(
      _ path: String, _ problem: String, expected: String? = nil, found: String? = nil, hint: String? = nil
    ) -> ErrorReport {
      ErrorReport(.badData, at: path, problem, expected: expected, found: found, hint: hint)
    }
    switch self {
    case .file(let error): return error.report
    case .safetensors(let path, let error): return error.report(at: path)
    case .json(let path, let error): return error.report(at: path)
    case .torch(let path, let error): return error.report(at: path)
    case .zip(let path, let error): return error.report(at: path)
    case .gguf(let path, let error): return error.report(at: path)
    case .numPy(let path, let error): return error.report(at: path)
    case .deepSpeed(let path, let error): return error.report(at: path)
    case .notACheckpoint(let path, let looksLike, let hint):
      return bad(
        path, "is not a checkpoint", expected: "safetensors, PyTorch, GGUF, NumPy or .bantam", found: looksLike,
        hint: hint)
    case .indexWithoutWeightMap(let path): return bad(path, "has no 'weight_map'")
    case .indexEmpty(let path): return bad(path, "names no tensor")
    case .indexLeadsOutside(let path, let tensor, let file):
      return bad(
        path, "tensor '\(tensor)' is said to lie in a file outside the folder", expected: "a plain path below it",
        found: "'\(file)'")
    case .indexNamesOtherFormat(let path, let tensor, let file):
      return bad(
        path, "tensor '\(tensor)' lies in a file of another kind",
        expected: "*.safetensors, *.bin, *.pt, *.pth or *.ckpt",
        found: "'\(file)'")
    case .indexNameTooLong(let path): return bad(path, "a tensor's name is too long")
    case .shardMissing(let path, let shard, let missing):
      return ErrorReport(
        .noInput, at: path, "shard '\(shard)' is missing",
        found: "\(missing.count) of the index's files are not in the folder",
        hint: "The download looks unfinished: fetch it again")
    case .shardUnfinished(let path, let shard):
      return ErrorReport(
        .noInput, at: path, "shard '\(shard)' is still being downloaded",
        hint: "Wait for the download, or fetch it again")
    case .tensorNotInShard(let path, let shard, let tensor):
      return bad(path, "tensor '\(tensor)' is not in shard '\(shard)', where the index says it is")
    case .tensorNotInIndex(let path, let shard, let tensor):
      return bad(path, "shard '\(shard)' holds tensor '\(tensor)', which the index does not place there")
    case .tensorInTwoShards(let path, let tensor, let first, let second):
      return bad(path, "tensor '\(tensor)' lies in two files: '\(first)' and '\(second)'")
    case .shardsWithoutIndex(let path, let shard):
      return bad(
        path, "'\(shard)' is one of several shards, but there is no index",
        expected: "a file ending in .index.json", hint: "Fetch the index too")
    case .splitDiffers(let path, let key, let expected, let found):
      return bad(
        path, "has another '\(key)' than its name says", expected: "\(expected)",
        found: "'\(found)'")
    case .staleIndex(let path, let index, let missing, let present):
      let names = present.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
      return ErrorReport(
        .noInput, at: path,
        "index '\(index)' names \(missing) file\(missing == 1 ? "" : "s") that are not there",
        found: names + (present.count > 3 ? " and \(present.count - 3) more" : ""),
        hint: "Move the index away to read what is there, or fetch what it names")
    case .severalCheckpoints(let path, let names):
      return bad(
        path, "holds \(names.count) checkpoints of a training run",
        found: names.prefix(4).joined(separator: ", "),
        hint: "Name the one that you mean, such as \(Folder.join(path, names[names.count - 1]))")
    case .downloadUnfinished(let path, let file):
      return ErrorReport(
        .noInput, at: path, "the download is unfinished", found: "'\(file)'",
        hint: "The same 'hf download' goes on where it stopped")
    case .distributed(let path):
      return bad(
        path, "is a checkpoint of torch.distributed.checkpoint, which is not read",
        expected: "safetensors, PyTorch or GGUF",
        hint: "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER model.pt makes one file of it")
    case .severalIndexes(let path, let first, let second):
      return bad(path, "has two indexes: '\(first)' and '\(second)'", expected: "one")
    case .notRead(let path, let tensor, let encoding):
      return bad(path, "tensor '\(tensor)' is of a type that is listed but not read", found: encoding)
    case .claimsTooMuch(let path):
      return bad(path, "claims more than a model can have", expected: "at most \(Limits.claimedByteCount) bytes")
    case .noWeights(let path):
      return ErrorReport(
        .noInput, at: path, "holds no weights that are read", expected: "safetensors, PyTorch or GGUF files",
        hint: "Name the folder that holds the weights")
    case .notInCache(let repository, let cache):
      return ErrorReport(
        .noInput, at: repository, "is neither a path nor a repository in the local cache",
        expected: "a folder in \(cache)", hint: "Fetch it first: hf download \(repository)")
    case .snapshotMissing(let repository, let revision):
      return ErrorReport(
        .noInput, at: repository, "snapshot \(revision) is not in the local cache",
        hint: "Fetch it again")
    case .badReference(let repository, let text):
      return bad(repository, "the cache's refs/main is not a commit", found: "'\(text)'")
    }
  }
}

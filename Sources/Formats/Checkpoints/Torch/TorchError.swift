import PickleFiles
import Tensors
import ZipFiles

/// A rule that a PyTorch file breaks.
public enum TorchError: PlacelessError, Equatable {
  case file(FileError)
  case zip(ZipError)
  case pickle(PickleError)
  case notTorch(looksLike: String, hint: String?)
  /// A zip archive without the pickle that torch.save writes.
  case noPickle
  case torchScript
  case bigEndian
  /// Not the numbers that files before the zip form start with.
  case badLegacyHeader
  /// The list of storages of a file before the zip form.
  case badLegacyKeys
  /// Bytes follow the last storage of a file before the zip form.
  case trailingBytes(count: Int)
  case pickleCompressed
  case storageTwice(key: [UInt8])
  /// The pickle and its storages do not fit together.
  case storageMissing(key: [UInt8])
  case storageUnnamed(key: [UInt8])
  case storageCompressed(key: [UInt8])
  case storageTooShort(key: [UInt8], expected: Int, found: Int)
  case storageTypes(key: [UInt8])
  case badStorageReference
  case badTensor(name: TensorName, rule: String)
  case unknownDType(name: TensorName, dtype: String)
  case outsideStorage(name: TensorName, end: Int, count: Int)
  case expandedTooFar(name: TensorName, elements: Int, stored: Int)
  case nameTwice(name: TensorName)
  case nameTooLong(byteCount: Int)
  case tooDeep
  /// Several of the keys under which training programs keep the weights.
  case severalStates(first: String, second: String)
  case noTensors(found: String)

  /// The report for a file at `path`.
  public func report(at path: String) -> ErrorReport {
    let bad = BadData(at: path)
    func storage(_ key: [UInt8]) -> String { "storage '\(String(utf8: key))'" }
    switch self {
    case .file(let error): return error.report
    case .zip(let error): return error.report(at: path)
    case .pickle(let error): return error.report(at: path)
    case .notTorch(let looksLike, let hint):
      return bad("is not a PyTorch file", "a file of torch.save", looksLike, hint)
    case .noPickle: return bad("is a zip archive without data.pkl, so not a PyTorch file", "an archive of torch.save")
    case .torchScript:
      return bad("is a TorchScript program", "a file of torch.save", nil, "Save the state_dict of the module instead")
    case .bigEndian: return bad("holds big-endian numbers", "little-endian")
    case .badLegacyHeader: return bad("is a pickle, but not a PyTorch file", "the numbers that torch.save starts with")
    case .badLegacyKeys: return bad("has no list of storages behind its pickle", nil, nil, BadData.cut)
    case .trailingBytes(let count): return bad("\(count) bytes follow the last storage", "none")
    case .pickleCompressed: return bad("has a compressed data.pkl", "stored, as torch.save leaves it")
    case .storageTwice(let key): return bad("\(storage(key)) occurs twice", "one")
    case .storageMissing(let key): return bad("\(storage(key)) is not in the file", nil, nil, BadData.cut)
    case .storageUnnamed(let key): return bad("\(storage(key)) is of no known type, so its size is unknown")
    case .storageCompressed(let key): return bad("\(storage(key)) is compressed", "stored bytes")
    case .storageTooShort(let key, let expected, let found):
      return bad("\(storage(key)) is shorter than stated", "\(expected) bytes", "\(found)", BadData.cut)
    case .storageTypes(let key): return bad("\(storage(key)) is said to be of two types or sizes")
    case .badStorageReference: return bad("a tensor's storage is not described as torch.save does")
    case .badTensor(let name, let rule): return bad("tensor '\(name)' \(rule)")
    case .unknownDType(let name, let dtype):
      return bad("tensor '\(name)' has a dtype that is not read", "float32, bfloat16, ...", "'\(dtype)'")
    case .outsideStorage(let name, let end, let count):
      return bad("tensor '\(name)' reaches past its storage", "at most \(count) elements", "\(end)")
    case .expandedTooFar(let name, let elements, let stored):
      return bad(
        "tensor '\(name)' repeats its storage too often", "at most \(Limits.viewExpansion) times",
        "\(elements) elements from \(stored)")
    case .nameTwice(let name): return bad("tensor '\(name)' occurs twice", "one")
    case .nameTooLong(let count):
      return bad("a tensor's name is too long", "at most \(Limits.nameByteCount) bytes", "\(count)")
    case .tooDeep: return bad("values are nested too deep", "at most \(Limits.pickleDepth) levels")
    case .severalStates(let first, let second):
      return bad(
        "holds weights under '\(first)' and under '\(second)'", "one set", nil, "Save the one that you mean by itself")
    case .noTensors(let found): return bad("holds no tensors", "a state_dict", found)
    }
  }
}

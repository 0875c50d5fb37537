import PickleFiles
import Tensors

/// A storage as a pickle names it: elements of one type, in one run.
struct TorchStorage: Hashable {
  let key: [UInt8]
  /// Nil for storages that know bytes only.
  let dtype: DType?
  /// Elements, or bytes where there is no type.
  let count: Int
  /// Of files before the zip form: where this storage starts within the one of its key, in elements.
  var viewOffset = 0

  /// Bytes of an element.
  var width: Int { (dtype?.bitWidth ?? 8) / 8 }

  /// Bytes up to the end of this storage; nil where that overflows.
  var byteCount: Int? {
    let (end, overflow) = count.addingReportingOverflow(viewOffset)
    let (bytes, overflowToo) = end.multipliedReportingOverflow(by: width)
    return overflow || overflowToo ? nil : bytes
  }

  /// Reads `('storage', type, key, location, count)`, in older files with a view behind.
  /// Source: PyTorch, `torch/serialization.py`, `persistent_id`.
  init(_ value: PickleValue, in document: PickleDocument) throws(TorchError) {
    guard let name = document.persistentName(value), let parts = document.sequence(name, limit: 8), parts.count >= 5,
      document.text(parts[0]) == Array("storage".utf8), let type = document.global(parts[1]),
      let key = document.text(parts[2]), case .int(let count) = parts[4], count >= 0
    else { throw .badStorageReference }
    dtype = TorchGlobals.storageType(type)
    guard dtype != nil || TorchGlobals.isUntyped(type) else { throw .badStorageReference }
    var elements = count
    if parts.count > 5, parts[5] != .none {
      guard let view = document.sequence(parts[5], limit: 3), view.count == 3, document.text(view[0]) != nil,
        case .int(let offset) = view[1], case .int(let size) = view[2], offset >= 0, size >= 0
      else { throw .badStorageReference }
      // The key names the root storage and the count is its own; the view is a part of it.
      viewOffset = offset
      elements = size
      guard offset <= count, size <= count - offset else { throw .badStorageReference }
    }
    self.key = key
    self.count = elements
    guard byteCount != nil else { throw .badStorageReference }
  }
}

/// A tensor as a pickle describes it: a view of a storage.
struct TorchTensor {
  let storage: TorchStorage
  let info: TensorInfo
  /// In elements.
  let offset: Int
  let strides: Strides

  /// Reads the call that rebuilds a tensor; nil where the value is something else.
  /// Source: PyTorch, `torch/_utils.py`.
  init?(_ value: PickleValue, name: TensorName, in document: PickleDocument) throws(TorchError) {
    guard Self.isOne(value, in: document), var (global, arguments) = document.call(value) else { return nil }
    var values = [value]
    // A parameter is a tensor in a wrapper or two.
    for _ in 0..<8 {
      if global == TorchGlobals.rebuildParameter || global == TorchGlobals.rebuildParameterWithState,
        let inner = arguments.first.flatMap({ document.call($0) })
      {
        values.append(arguments[0])
        (global, arguments) = inner
      } else if global == TorchGlobals.rebuildFromType, arguments.count == 4, let inner = document.global(arguments[0]),
        let list = document.sequence(arguments[2], limit: 16)
      {
        (global, arguments) = (inner, list)
      }
    }
    let isTyped = global == TorchGlobals.rebuildTensor3
    guard isTyped || global == TorchGlobals.rebuildTensor2 || global == TorchGlobals.rebuildTensor else { return nil }
    func bad(_ rule: String) -> TorchError { .badTensor(name: name, rule: rule) }
    // In PyTorch this would write into the tensor.
    guard values.allSatisfy({ document.count($0) == 0 }) else {
      throw bad("has items set by the pickle, which is not done")
    }
    guard arguments.count >= (isTyped ? 7 : 4) else { throw bad("is described by too few values") }
    // What a tensor is marked with: its values are then another's conjugates or negatives.
    for mark in arguments.dropFirst(isTyped ? 7 : 6) where document.count(mark) > 0 {
      throw bad("is a lazy conjugate or negative")
    }
    storage = try TorchStorage(arguments[0], in: document)
    guard case .int(let offset) = arguments[1], offset >= 0 else { throw bad("has an offset that is no size") }
    guard let shape = Self.sizes(arguments[2], document), shape.count <= Limits.rank else {
      throw bad("has a shape that is not a list of at most \(Limits.rank) sizes")
    }
    guard let strides = Self.sizes(arguments[3], document), strides.count == shape.count else {
      throw bad("has strides that do not fit its shape")
    }
    var dtype = storage.dtype
    if isTyped {
      guard let type = document.global(arguments[6]) else { throw bad("has a dtype that is no name") }
      guard let known = TorchGlobals.dtype(type) else { throw .unknownDType(name: name, dtype: type.path) }
      dtype = known
    }
    guard let dtype else { throw .unknownDType(name: name, dtype: "untyped") }
    guard let info = TensorInfo(name: name, dtype: dtype, shape: shape) else { throw bad("has a size that overflows") }
    self.info = info
    self.offset = offset
    self.strides = Strides(shape: shape, steps: strides)
    try checkBounds()
  }

  private static let calls: Set<PickleGlobal> = [
    TorchGlobals.rebuildTensor, TorchGlobals.rebuildTensor2, TorchGlobals.rebuildTensor3,
    TorchGlobals.rebuildParameter, TorchGlobals.rebuildParameterWithState, TorchGlobals.rebuildFromType,
  ]

  /// Whether a value is a call that rebuilds a tensor, sound or not.
  static func isOne(_ value: PickleValue, in document: PickleDocument) -> Bool {
    document.callee(value).map { calls.contains($0.global) } ?? false
  }

  /// The sizes in a tuple, list or `torch.Size`; nil where there is anything else in it.
  static func sizes(_ value: PickleValue, _ document: PickleDocument) -> [Int]? {
    var items = document.sequence(value, limit: Limits.rank + 1)
    if items == nil, let call = document.call(value), call.global == TorchGlobals.size {
      items = call.arguments.first.flatMap { document.sequence($0, limit: Limits.rank + 1) }
    }
    guard let items else { return nil }
    var sizes: [Int] = []
    for item in items {
      guard case .int(let size) = item, size >= 0 else { return nil }
      sizes.append(size)
    }
    return sizes
  }

  private func checkBounds() throws(TorchError) {
    let width = info.dtype.bitWidth / 8
    let stored = storage.dtype == nil ? storage.count / width : storage.count
    // Storages of one type read as another do not occur.
    guard storage.dtype == nil || storage.dtype == info.dtype else { throw .storageTypes(key: storage.key) }
    guard info.elementCount > 0 else { return }
    var last = offset
    for (size, stride) in zip(info.shape, strides.steps) {
      let (reach, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(reach)
      guard !overflow, !carry else { throw .outsideStorage(name: info.name, end: .max, count: stored) }
      last = sum
    }
    guard last < stored else { throw .outsideStorage(name: info.name, end: last &+ 1, count: stored) }
    guard info.elementCount / Limits.viewExpansion <= stored else {
      throw .expandedTooFar(name: info.name, elements: info.elementCount, stored: stored)
    }
  }
}

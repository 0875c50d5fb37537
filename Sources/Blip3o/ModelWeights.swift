import Conversion
import Kernels
import Runtime
import Tensors

/// A model's tensors by Bantam's names, each where it lies in its file.
struct ModelWeights: WeightSource {
  let path: String
  private let source: ModelSource
  private let mapping: SourceMapping
  /// Index into the source's tensors.
  private let numbers: [String: Int]

  init(_ source: ModelSource, _ map: ModelMap) {
    path = source.path
    self.source = source
    mapping = SourceMapping(source)
    numbers = Dictionary(
      map.components.flatMap { $0.tensors.map { ($0.name.text, $0.number) } }, uniquingKeysWith: { first, _ in first })
  }

  func has(_ name: String) -> Bool { numbers[name] != nil }

  /// The shape of a tensor, or nil.
  func shape(_ name: String) -> [Int]? { numbers[name].map { source.tensors[$0].info.shape } }

  private func tensor(_ name: String, shape: [Int]) throws -> SourceMapping.Tensor {
    guard let number = numbers[name] else { throw RuntimeError.weightMissing(path: path, name: name) }
    let tensor = try mapping.tensor(number)
    // Older files keep a product as a convolution with a kernel of 1; the values lie alike.
    let found = tensor.info.shape
    guard found == shape || (found.starts(with: shape) && found.dropFirst(shape.count).allSatisfy { $0 == 1 }) else {
      throw RuntimeError.weightShape(path: path, name: name, expected: shape, found: found)
    }
    if case .plain(let dtype) = tensor.storage, !dtype.isCastable {
      throw RuntimeError.weightDType(path: path, name: name, found: dtype.name)
    }
    return tensor
  }

  func weight(_ name: String, shape: [Int]) throws -> Weight {
    let tensor = try tensor(name, shape: shape)
    let storage: Weight.Storage
    switch tensor.storage {
    case .plain(let dtype): storage = .plain(dtype)
    case .group(let encoding): storage = .group(bits: encoding.bits)
    }
    return Weight(
      name: name, outputs: shape[0], inputs: shape.dropFirst().reduce(1, *), storage: storage, bytes: tensor.bytes,
      scales: tensor.scales, owner: tensor.owner, check: tensor.check, isTorn: tensor.isTorn)
  }

  func vector(_ name: String, shape: [Int]) throws -> Vector {
    let tensor = try tensor(name, shape: shape)
    try tensor.check()
    return try Vector(count: tensor.info.elementCount) { values in
      guard let base = values.baseAddress, let bytes = tensor.bytes.baseAddress else { return }
      switch tensor.storage {
      case .plain(let dtype): ElementCast.widen(count: values.count, from: bytes, dtype, to: base)
      case .group: try source.read(numbers[name]!, at: 0, into: UnsafeMutableRawBufferPointer(values))
      }
    }
  }
}

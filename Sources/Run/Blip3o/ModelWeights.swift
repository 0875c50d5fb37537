import Kernels
import ModelSources
import NetworkRuntime
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

  /// The number of a tensor of real numbers of a shape.
  private func number(_ name: String, shape: [Int]) throws -> Int {
    guard let number = numbers[name] else { throw RuntimeError.weightMissing(path: path, name: name) }
    let info = source.tensors[number].info
    // Older files keep a product as a convolution with a kernel of 1; the values lie alike.
    let found = info.shape
    guard found == shape || (found.starts(with: shape) && found.dropFirst(shape.count).allSatisfy { $0 == 1 }) else {
      throw RuntimeError.weightShape(path: path, name: name, expected: shape, found: found)
    }
    guard info.dtype.isCastable else {
      throw RuntimeError.weightDType(path: path, name: name, found: info.dtype.name)
    }
    return number
  }

  func weight(_ name: String, shape: [Int]) throws -> Weight {
    let tensor = try mapping.tensor(number(name, shape: shape))
    return Weight(
      name: name, outputs: shape[0], inputs: shape.dropFirst().reduce(1, *), matrix: tensor.matrix,
      owner: tensor.owner, check: tensor.check, isTorn: tensor.isTorn)
  }

  func vector(_ name: String, shape: [Int]) throws -> Vector {
    let number = try number(name, shape: shape)
    let info = source.tensors[number].info
    let stored = try AlignedBuffer(byteCount: info.byteCount)
    try source.read(number, at: 0, into: stored.bytes)
    return try Vector(count: info.elementCount) { values in
      guard let base = values.baseAddress, let bytes = stored.bytes.baseAddress else { return }
      ElementCast.widen(count: values.count, from: bytes, info.dtype, to: base)
    }
  }
}

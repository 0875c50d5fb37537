import Blip3o
import Foundation
import JSONText
import ModelSources
import Observation
import Tensors

/// What PyTorch computes for a small checkpoint, and the checkpoint itself. See `Fixtures/README.md`.
struct Goldens {
  let checkpoint: String
  let file: String
  private let source: ModelSource
  private let numbers: [String: Int]
  let notes: JSONValue

  static let names = ["tiny", "awkward", "third"]

  init(_ name: String) throws {
    let folder = Bundle.module.resourceURL!.appendingPathComponent("Fixtures/\(name)").path
    checkpoint = folder + "/checkpoint"
    file = folder + "/goldens.safetensors"
    source = try ModelSource(path: file)
    numbers = Dictionary(uniqueKeysWithValues: source.tensors.enumerated().map { ($1.info.name.text, $0) })
    notes = try ConfigJSON.parse([UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "/goldens.json"))))
  }

  var tensorNames: [String] { Array(numbers.keys) }

  func shape(_ name: String) -> [Int]? { numbers[name].map { source.tensors[$0].info.shape } }

  /// The values of a tensor as f64, whatever its dtype.
  func values(_ name: String) throws -> [Double] {
    let number = numbers[name]!
    let info = source.tensors[number].info
    let bytes = try AlignedBuffer(byteCount: info.byteCount)
    try source.read(number, at: 0, into: bytes.bytes)
    return TensorValues.doubles(UnsafeRawBufferPointer(bytes.bytes), info.dtype)
  }
}

enum TensorValues {
  static func doubles(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> [Double] {
    switch dtype {
    case .f32: bytes.bindMemory(to: Float.self).map(Double.init)
    case .i64: bytes.bindMemory(to: Int64.self).map(Double.init)
    case .u8: bytes.map(Double.init)
    default: preconditionFailure("no test uses \(dtype)")
    }
  }
}

/// Activations of a trace, by name.
final class Traced {
  var values: [String: [Double]] = [:]
  var shapes: [String: [Int]] = [:]

  func add(_ tensor: TracedTensor) {
    let name = tensor.info.name.text
    values[name] = TensorValues.doubles(tensor.bytes, tensor.info.dtype)
    shapes[name] = tensor.info.shape
  }
}

/// The largest difference, as a part of the largest value.
func relativeError(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let largest = max(1e-30, b.map(abs).max() ?? 0)
  return (zip(a, b).map { abs($0 - $1) }.max() ?? 0) / largest
}

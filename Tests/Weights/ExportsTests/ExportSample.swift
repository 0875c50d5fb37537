import Checkpoints
import Conversion
import Foundation
import JSONText
import ModelSources
import Quantization
import Samples
import Tensors
import TestSupport

@testable import Exports

/// A tiny release and its native files, made once.
enum ExportSample {
  static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    try! SampleWriter(scale: scale, seed: 0).write(to: folder["tiny"], resources: Resources())
    try! convert(folder["tiny"], to: folder["plain.bantam"])
    for encoding in ["int4", "int8"] {
      try! convert(
        folder["tiny"], to: folder[encoding + ".bantam"], .init(defaultEncoding: encoding == "int4" ? .int4 : .int8))
    }
    return folder
  }()
  static var scale: SampleScale { SampleScale.all.first { $0.name == "tiny" }! }
  static var path: String { folder["tiny"] }

  static func convert(
    _ source: String, to path: String, _ recipe: QuantizationRecipe? = nil, components: [String]? = nil
  ) throws {
    let plan = try ConversionPlan(
      source: ModelSource(path: source),
      options: ConversionOptions(components: components, recipe: recipe, resources: Resources(threadCount: 2)))
    try Converter.run(plan, to: path)
  }

  /// A copy that may be changed, without what the exports of a language model do not read.
  static func copy() -> TemporaryFolder {
    let copy = TemporaryFolder()
    try! FileManager.default.copyItem(atPath: path, toPath: copy["tiny"])
    return copy
  }

  /// Rewrites a JSON file of a copy.
  static func edit(_ folder: TemporaryFolder, _ name: String, _ change: (inout [String: Any]) -> Void) {
    var value = try! JSONSerialization.jsonObject(with: Data(folder.bytes(of: name))) as! [String: Any]
    change(&value)
    folder.write([UInt8](try! JSONSerialization.data(withJSONObject: value)), to: name)
  }
}

/// Exports a source.
/// - Returns: the plan that was carried out.
@discardableResult
func export(
  _ source: String, as format: some ExportFormat, to path: String, dtype: DType? = nil, components: [String]? = nil,
  family: String? = nil, threads: Int = 2
) throws -> ExportPlan {
  let plan = try format.plan(
    ModelSource(path: source), family: family, ExportOptions(components: components, dtype: dtype))
  try Exporter.run(plan, to: path, resources: Resources(threadCount: threads))
  return plan
}

/// The files of a folder, by path below it, with their sizes; of a file, its own.
func sizes(_ path: String) -> [String: Int] {
  func size(_ path: String) -> Int {
    (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? -1
  }
  guard Folder.exists(path) else { return ["": size(path)] }
  var sizes: [String: Int] = [:]
  for case let name as String in FileManager.default.enumerator(atPath: path)!
  where !Folder.exists(path + "/" + name) { sizes[name] = size(path + "/" + name) }
  return sizes
}

/// Plain bytes of all tensors, by folder, name, dtype and shape.
func values(_ path: String) throws -> [String: [UInt8]] {
  let source = try ModelSource(path: path)
  var values: [String: [UInt8]] = [:]
  for (number, tensor) in source.tensors.enumerated() {
    let buffer = try AlignedBuffer(byteCount: tensor.info.byteCount)
    try source.read(number, at: 0, into: buffer.bytes)
    values["\(tensor.folder)|\(tensor.info.name)|\(tensor.info.dtype)|\(tensor.info.shape)"] = Array(buffer.bytes)
  }
  return values
}

/// Fixtures of other programs' layouts.
let fixtures = Repository.checkpoints

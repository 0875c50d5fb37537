import Foundation
import ModelSources
import Samples
import Tensors
import TestSupport

/// A tiny sample on disk, made once.
public enum TinySample {
  public static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    try! SampleWriter(scale: .tiny, seed: 0).write(to: folder["tiny"], resources: Resources())
    return folder
  }()
  public static var path: String { folder["tiny"] }

  /// A copy that may be changed.
  public static func copy() -> TemporaryFolder {
    let copy = TemporaryFolder()
    try! FileManager.default.copyItem(atPath: path, toPath: copy["tiny"])
    return copy
  }

  /// Makes the head of a copy repeat its embedding.
  public static func copyEmbeddingOverHead(_ folder: TemporaryFolder) throws {
    let source = try ModelSource(path: folder["tiny"])
    let number = source.tensors.firstIndex { $0.info.name == "model.embed_tokens.weight" }!
    let head = source.tensors.first { $0.info.name == "lm_head.weight" }!
    let buffer = try AlignedBuffer(byteCount: head.info.byteCount)
    try source.read(number, at: 0, into: buffer.bytes)
    var file = folder.bytes(of: "tiny/" + head.file)
    file.replaceSubrange(head.offset..<head.offset + head.info.byteCount, with: buffer.bytes)
    folder.write(file, to: "tiny/" + head.file)
  }
}

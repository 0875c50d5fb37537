import Foundation
import ModelSources
import Samples
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
}

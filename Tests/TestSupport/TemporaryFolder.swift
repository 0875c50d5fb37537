import Foundation

/// A folder that is removed with its owner.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() {
    path = NSTemporaryDirectory() + "bantam-test-" + UUID().uuidString
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  public subscript(_ name: String) -> String { path + "/" + name }

  /// Writes a file, its folders made, and gives its path.
  @discardableResult public func write(_ bytes: [UInt8], to name: String) -> String {
    let target = self[name]
    let folder = (target as NSString).deletingLastPathComponent
    try! FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    _ = FileManager.default.createFile(atPath: target, contents: Data(bytes))
    return target
  }

  @discardableResult public func write(_ text: String, to name: String) -> String { write(Array(text.utf8), to: name) }

  public func bytes(of name: String) -> [UInt8] {
    [UInt8](FileManager.default.contents(atPath: name.hasPrefix("/") ? name : self[name]) ?? Data())
  }

  /// Names in the folder, hidden ones too.
  public var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
}

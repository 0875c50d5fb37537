import Foundation

/// The files that tests expect to be refused. Where `BANTAM_KEEP_HOSTILE` names a folder, each is kept there, so that time and
/// memory of refusing them can be measured (tools/measure_refusals.py).
public enum HostileFiles {
  public static func keep(_ bytes: [UInt8], rule: String, ending: String) {
    guard let folder = ProcessInfo.processInfo.environment["BANTAM_KEEP_HOSTILE"] else { return }
    let name = rule.map { $0.isLetter || $0.isNumber ? $0 : "-" }
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    _ = FileManager.default.createFile(atPath: "\(folder)/\(String(name)).\(ending)", contents: Data(bytes))
  }
}

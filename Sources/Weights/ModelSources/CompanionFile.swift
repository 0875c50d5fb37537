import JSONText
import Tensors
import Tokenization

/// Files beside the weights that are carried along, into a `.bantam` file or an export. Only what is what its name says is carried: a link may lead to any
/// file of the user's.
package enum CompanionFile {
  /// Reads the files that a map names and its source has, one after another. A tokenizer's table is none: it is made from the others.
  /// - Returns: what is to be said of those that are left out.
  /// - Throws: what reading or the body throws.
  package static func visit(
    _ source: ModelSource, _ map: ModelMap, _ body: (_ path: String, _ bytes: [UInt8]) throws -> Void
  ) throws -> [String] {
    var notes: [String] = []
    for path in map.files where path != Tokenizer.tableName {
      guard let bytes = try source.companion(path) else { continue }
      if let problem = problem(path: path, bytes) {
        notes.append("left out '\(path)': \(problem)")
      } else {
        try body(path, bytes)
      }
    }
    return notes
  }

  /// Why a file is not what its name says; nil for one that may be carried.
  static func problem(path: String, _ bytes: [UInt8]) -> String? {
    switch Folder.ending(of: path) {
    case "json":
      do throws(JSONError) {
        var scanner = try JSONScanner(bytes)
        guard try scanner.peek() == UInt8(ascii: "{") else { return "is not a JSON object" }
        try scanner.skipValue(takesNaN: true)
        try scanner.finish()
        return nil
      } catch { return error.explanation.problem }
    case "txt" where Folder.split(path).name == "merges.txt":
      guard isText(bytes) else { return "is not text" }
      // Pairs, perhaps behind a line that says the version.
      let lines = bytes.split(separator: 0x0A).drop { $0.starts(with: "#".utf8) }
      let isPairs = lines.allSatisfy { $0.split(separator: 0x20, omittingEmptySubsequences: false).count == 2 }
      return isPairs ? nil : "is not a list of merges"
    default: return isText(bytes) ? nil : "is not text"
    }
  }

  private static func isText(_ bytes: [UInt8]) -> Bool {
    !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
  }
}

import JSON
import Tensors

/// Files beside the weights that are carried into a `.bantam` file. Only what is what its name says is carried: a link may lead to any
/// file of the user's.
enum CompanionFile {
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

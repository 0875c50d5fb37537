import Tensors

/// One part of a GGUF model that was split, by its name: `NAME-00001-of-00003.gguf`. Source: llama.cpp, `gguf-split`.
struct GGUFSplit {
  /// From 1.
  let number: Int
  let count: Int
  private let stem: String

  init?(name: String) {
    guard name.hasSuffix(".gguf") else { return nil }
    let parts = name.dropLast(5).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, parts[parts.count - 2] == "of",
      [parts.count - 3, parts.count - 1].allSatisfy({
        parts[$0].count == 5 && parts[$0].utf8.allSatisfy { (0x30...0x39).contains($0) }
      }),
      let number = Int(parts[parts.count - 3]), let count = Int(parts[parts.count - 1]),
      (1...Limits.ggufSplitCount).contains(count), (1...count).contains(number)
    else { return nil }
    self.number = number
    self.count = count
    stem = parts.dropLast(3).joined(separator: "-")
  }

  /// All parts, in order.
  var names: [String] { (1...count).map { "\(stem)-\(Self.digits($0))-of-\(Self.digits(count)).gguf" } }

  private static func digits(_ number: Int) -> String {
    String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number)
  }

  /// Checks what each part says of itself: its number, from 0 in the files, and how many there are.
  func check(files: ArraySlice<Checkpoint.File>, tensorCount: Int, path: String) throws(CheckpointError) {
    for (position, file) in files.enumerated() {
      let stated = ["split.no": position, "split.count": count]
      for (key, expected) in stated.sorted(by: { $0.key < $1.key }) {
        guard let found = file.value(of: key), found != String(expected) else { continue }
        throw .splitDiffers(path: Folder.join(path, names[position]), key: key, expected: expected, found: found)
      }
    }
    if let first = files.first, let stated = first.value(of: "split.tensors.count"), stated != String(tensorCount) {
      throw .splitDiffers(
        path: Folder.join(path, names[0]), key: "split.tensors.count", expected: tensorCount, found: stated)
    }
  }
}

extension Checkpoint.File {
  /// The value of a key of the file's metadata, as text.
  public func value(of key: String) -> String? { metadata.first { $0.key.elementsEqual(key.utf8) }?.value }
}

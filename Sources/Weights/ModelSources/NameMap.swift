import BantamFormats
import Checkpoints
import JSONText
import Tensors

/// Says how the tensors of another program's layout are called in a family's source, and which of them are parts of one
/// tensor there. Read from `formats/names/`. Format: formats/names.md.
package struct NameMap: Sendable {
  /// The family whose names these become.
  package let family: String
  /// What a file that is written in this layout holds; nil where none is.
  package let output: LayoutOutput?
  /// Values of the family's symbols that the layout does not show.
  let symbols: [String: Int]
  private let detection: [[String: String]]
  private let names: [(from: NamePattern, to: NamePattern)]
  private let joins: [(from: [NamePattern], to: NamePattern, joining: Checkpoint.Joining)]

  /// The maps that are built in.
  package static func builtIn() throws(FamilyError) -> [NameMap] {
    var maps: [NameMap] = []
    for (name, json) in Formats.names { maps.append(try NameMap(name: name, json: json)) }
    return maps
  }

  /// - Throws: ``FamilyError/badMap(family:rule:)``.
  init(name: String, json: [UInt8]) throws(FamilyError) {
    func bad(_ rule: String) -> FamilyError { .badMap(family: name, rule: rule) }
    let root: JSONValue
    do { root = try ConfigJSON.parse(json) } catch { throw bad(error.explanation.problem) }
    guard let family = root["family"]?.string else { throw bad("'family' is missing") }
    self.family = family
    var symbols: [String: Int] = [:]
    for member in root["symbols"]?.object ?? [] { symbols[member.key] = member.value.int }
    self.symbols = symbols
    detection = (root["detect"]?.array ?? []).map { condition in
      Dictionary((condition.object ?? []).map { ($0.key, $0.value.string ?? "") }) { first, _ in first }
    }
    var names: [(from: NamePattern, to: NamePattern)] = []
    for pair in root["names"]?.array ?? [] {
      let texts = (pair.array ?? []).compactMap(\.string)
      guard texts.count == 2 else { throw bad("an entry of 'names' is a pair") }
      names.append((NamePattern(texts[0]), NamePattern(texts[1])))
    }
    self.names = names
    var joins: [(from: [NamePattern], to: NamePattern, joining: Checkpoint.Joining)] = []
    for join in root["joins"]?.array ?? [] {
      let from = (join["from"]?.array ?? []).compactMap(\.string).map(NamePattern.init)
      guard let to = join["to"]?.string, !from.isEmpty,
        let joining = join["concatenate"]?.int.map({ Checkpoint.Joining.concatenate(axis: $0) })
          ?? join["stack"]?.int.map({ .stack(axis: $0) })
      else { throw bad("an entry of 'joins' has 'from', 'to' and 'concatenate' or 'stack'") }
      joins.append((from, NamePattern(to), joining))
    }
    self.joins = joins
    var output: LayoutOutput?
    if let value = root["output"] { output = try LayoutOutput(value, map: name) }
    self.output = output
  }

  /// How a tensor of the family is called in this layout; nil for one that has no name there, or is not by itself a tensor there.
  package func layoutName(of name: String) -> String? {
    guard !joins.contains(where: { $0.to.values(in: name) != nil }) else { return nil }
    for (from, to) in names { if let values = to.values(in: name) { return from.filled(values) } }
    return nil
  }

  /// Whether a file of the checkpoint says that it is of this layout.
  func matches(_ checkpoint: Checkpoint) -> Bool {
    checkpoint.files.contains { file in
      detection.contains { $0.allSatisfy { file.value(of: $0.key) == $0.value } }
    }
  }

  /// The checkpoint with the family's names. Tensors that no rule claims keep theirs.
  func applied(to checkpoint: Checkpoint) -> Checkpoint {
    var numbers: [String: Int] = [:]
    for (number, entry) in checkpoint.entries.enumerated() where entry.folder.isEmpty {
      numbers[entry.info.name.text] = number
    }
    var entries: [Checkpoint.Entry] = []
    var taken = Set<Int>()
    for (number, entry) in checkpoint.entries.enumerated() where !taken.contains(number) {
      let name = entry.info.name.text
      if !entry.folder.isEmpty {
        entries.append(entry)
      } else if let (members, joined) = self.joined(name, numbers, checkpoint) {
        taken.formUnion(members)
        entries.append(joined)
      } else {
        entries.append(renamed(entry, name) ?? entry)
      }
    }
    return checkpoint.with(entries: entries)
  }

  private func renamed(_ entry: Checkpoint.Entry, _ name: String) -> Checkpoint.Entry? {
    for (from, to) in names {
      if let values = from.values(in: name) { return entry.renamed(TensorName(to.filled(values))) }
    }
    return nil
  }

  /// The tensor of which the named one is a part, where all parts are there and fit.
  private func joined(
    _ name: String, _ numbers: [String: Int], _ checkpoint: Checkpoint
  ) -> (members: [Int], entry: Checkpoint.Entry)? {
    for join in joins {
      guard let values = join.from.lazy.compactMap({ $0.values(in: name) }).first else { continue }
      let members = join.from.compactMap { numbers[$0.filled(values)] }
      guard members.count == join.from.count,
        let entry = checkpoint.joined(members, as: TensorName(join.to.filled(values)), join.joining)
      else { continue }
      return (members, entry)
    }
    return nil
  }
}

/// A name with places: `blk.{i}.attn_q.{part}`. A place stands for a run of characters without a dot.
struct NamePattern: Sendable {
  private enum Piece: Sendable {
    case text(String)
    case place(String)
  }
  private let pieces: [Piece]

  init(_ text: String) {
    var pieces: [Piece] = []
    var rest = Substring(text)
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      if open > rest.startIndex { pieces.append(.text(String(rest[..<open]))) }
      pieces.append(.place(String(rest[rest.index(after: open)..<close])))
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { pieces.append(.text(String(rest))) }
    self.pieces = pieces
  }

  /// What stands in the places of a name that fits; nil for one that does not.
  func values(in name: String) -> [String: String]? {
    var values: [String: String] = [:]
    var rest = Substring(name)
    for piece in pieces {
      switch piece {
      case .text(let text):
        guard rest.hasPrefix(text) else { return nil }
        rest = rest.dropFirst(text.count)
      case .place(let key):
        let value = rest.prefix { $0 != "." }
        guard !value.isEmpty else { return nil }
        values[key] = String(value)
        rest = rest[value.endIndex...]
      }
    }
    return rest.isEmpty ? values : nil
  }

  func filled(_ values: [String: String]) -> String {
    pieces.map { piece in
      switch piece {
      case .text(let text): text
      case .place(let key): values[key] ?? ""
      }
    }.joined()
  }
}

import JSONText
import Tensors

/// Finds tensors that other programs have quantized by the names of their parts, and puts what they stand for in place
/// of the parts. Parts that are not decoded stay, and are told for what they are: never taken for weights.
struct QuantizedTensors {
  private(set) var entries: [Checkpoint.Entry] = []
  private(set) var notes: [String] = []

  /// - Parameters:
  ///   - entries: those of one folder.
  ///   - configFolder: where config.json may lie.
  init(_ entries: [Checkpoint.Entry], files: [Checkpoint.File], configFolder: String) throws(CheckpointError) {
    guard entries.contains(where: { PartNames.mayBe($0.info.name.utf8) }) else {
      self.entries = entries
      return
    }
    var decoding = Decoding(entries, files: files)
    decoding.run(config: try Self.config(configFolder))
    // What is left may be of programs that are not decoded at all.
    let left = entries.indices.filter { !decoding.used.contains($0) && decoding.closed[$0] == nil }
    let found = PartNames.found(in: left.map { entries[$0].info.name })
    var programs: [Int: String] = decoding.closed
    for (place, program) in found { programs[left[place]] = program }
    notes = decoding.notes + Self.notes(programs: found, entries: left.map { entries[$0] })
    for (number, entry) in entries.enumerated() {
      if let (found, stored) = decoding.decoded[number] {
        self.entries.append(
          Checkpoint.Entry(
            info: found.info, folder: entry.folder, fileIndex: entry.fileIndex, offset: entry.offset,
            content: .decoded(found.decoder), stored: stored))
      } else if !decoding.used.contains(number) {
        self.entries.append(programs[number].map { entry.asPart(of: $0) } ?? entry)
      }
    }
  }

  private static func notes(programs: [Int: String], entries: [Checkpoint.Entry]) -> [String] {
    Set(programs.values).sorted().map { program in
      let places = programs.filter { $0.value == program }.keys.sorted()
      let names = "\(places.count) tensor\(places.count == 1 ? "" : "s")"
      return "\(names) belong\(places.count == 1 ? "s" : "") to \(program), first '\(entries[places[0]].info.name)': "
        + "carried as they are, no weights"
    }
  }

  /// Decodes what can be decoded. A tensor that is not understood closes only itself.
  private struct Decoding {
    private var parts: QuantizedParts
    private let entries: [Checkpoint.Entry]
    private(set) var decoded: [Int: (found: QuantizedParts.Found, stored: [Checkpoint.StoredRun])] = [:]
    private(set) var used = Set<Int>()
    /// Parts of tensors that were not understood, with what they are parts of.
    private(set) var closed: [Int: String] = [:]
    private(set) var notes: [String] = []
    private var firstOf: [Int: Int] = [:]
    private var failures: [String: (first: String, count: Int)] = [:]

    init(_ entries: [Checkpoint.Entry], files: [Checkpoint.File]) {
      self.entries = entries
      parts = QuantizedParts(entries, files: files)
    }

    mutating func run(config: JSONValue?) {
      for number in entries.indices where closed[number] == nil && !used.contains(number) {
        parts.current.removeAll()
        do throws(QuantizedError) {
          guard let found = try parts.tensor(marked: number, config: config) else { continue }
          let place = parts.current.min() ?? number
          guard used.isDisjoint(with: parts.current) else { throw .describedTwice(tensor: found.info.name) }
          decoded[place] = (found, parts.stored)
          used.formUnion(parts.current)
          for part in parts.current { firstOf[part] = place }
        } catch { close(number, error) }
      }
      for (rule, failure) in failures.sorted(by: { $0.key < $1.key }) {
        let others = failure.count > 1 ? " and \(failure.count - 1) more" : ""
        notes.append(
          "\(failure.first)\(others) cannot be decoded: \(rule). Its parts are carried as they are, no weights")
      }
    }

    private mutating func close(_ number: Int, _ error: QuantizedError) {
      let (program, members) = parts.members(marked: number)
      for member in members.union(parts.current) {
        closed[member] = "\(program), not decoded"
        // Where another tensor was made of the same parts, neither is to be trusted.
        guard let place = firstOf[member] else { continue }
        decoded[place] = nil
        for (part, first) in firstOf where first == place {
          closed[part] = "\(program), not decoded"
          used.remove(part)
        }
      }
      failures[error.explanation, default: ("'\(entries[number].info.name)'", 0)].count += 1
    }
  }

  private static func config(_ folder: String) throws(CheckpointError) -> JSONValue? {
    let path = Folder.join(folder, "config.json")
    guard Folder.hasFile(path) else { return nil }
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: path).contents(limit: Limits.configByteCount) } catch { throw .file(error) }
    do { return try ConfigJSON.parse(bytes) } catch { throw .json(path: path, error) }
  }
}

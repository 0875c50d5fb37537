import Encodings
import InputStatistics
import JSONText
import Kernels
import ModelSources
import Synchronization
import Tensors

/// A tensor that was encoded before, its planes mapped from their file.
struct SolvedTensor: Sendable {
  var record: SolvedRecord
  let file: MappedFile

  /// Its planes, one behind the other in the file.
  func planes(_ shape: EncodedShape, _ encoding: any Encoding) -> [UnsafeRawBufferPointer]? {
    var (planes, offset): ([UnsafeRawBufferPointer], Int) = ([], 0)
    for plane in encoding.planes(of: shape) ?? [] {
      guard plane.byteCount <= file.byteCount - offset else { return nil }
      planes.append(file.bytes(at: offset, count: plane.byteCount))
      offset += SolvedTensors.room(plane.byteCount)
    }
    return planes
  }
}

/// Tensors as they were encoded, kept in a folder beside an output that is not whole yet: work that was stopped goes on behind them.
///
/// Each has a file of its planes, which appears when it is whole, then a line in a journal. ``remove()`` takes all away when the
/// output is there.
public final class SolvedTensors: Sendable {
  /// The folder.
  public let path: String
  private let journal: Journal
  private let state: Mutex<(records: [String: SolvedRecord], layers: [[String]])>

  /// Opens what is there of the same work, or begins.
  /// - Parameters:
  ///   - output: the file that all this is for; the folder is `output.solved`.
  ///   - work: what decides what the tensors become.
  /// - Throws: ``ConversionError/otherWork(folder:)`` where there are tensors of other work; ``FileError``.
  public static func open(beside output: String, for work: JSONValue) throws -> SolvedTensors {
    let path = output + ".solved"
    try Folder.make(path)
    let head = JSONValue.members([
      "schema": .string("bantam.solved.1"), "writer": .string(bantamVersion),
      "work": .string(SHA256.of(Array(work.text().utf8)).description),
    ]).text()
    let place = Folder.join(path, "journal")
    guard !Journal.hasOtherWork(path: place, head: head) else { throw ConversionError.otherWork(folder: path) }
    let (journal, lines) = try Journal.open(path: place, head: head)
    var (records, layers): ([String: SolvedRecord], [[String]]) = ([:], [])
    for line in lines {
      guard let json = try? ConfigJSON.parse(Array(line.utf8)) else { continue }
      if let names = json["layer"]?.array {
        layers.append(names.compactMap(\.string))
      } else if let record = SolvedRecord(json) {
        records[record.name] = record
      }
    }
    return SolvedTensors(path, journal, records, layers)
  }

  private init(_ path: String, _ journal: Journal, _ records: [String: SolvedRecord], _ layers: [[String]]) {
    self.path = path
    self.journal = journal
    state = Mutex((records, layers))
  }

  /// How many there are.
  public var count: Int { state.withLock { $0.records.count } }

  /// Layers that are whole, in the order in which they were solved: others may stand on them.
  public var layers: [[String]] { state.withLock { $0.layers } }

  /// A layer is whole: all of its tensors are there.
  public func close(layer: [String]) throws(FileError) {
    let line = JSONValue.members(["layer": .array(layer.map { .string($0) })]).text()
    try state.withLock { (state) throws(FileError) in
      try journal.append(line)
      state.layers.append(layer)
    }
  }

  func has(_ name: String) -> Bool { state.withLock { $0.records[name] != nil } }

  /// Whether data had a say in what a tensor became.
  func isGuided(_ name: String) -> Bool { state.withLock { $0.records[name].map { $0.depth != .none } ?? false } }

  /// - Returns: nil where there is none in that encoding, or its file is not what it was.
  func find(_ name: String, _ encoding: any Encoding) -> SolvedTensor? {
    guard let record = state.withLock({ $0.records[name] }), record.encoding == encoding.name,
      let file = try? MappedFile(ReadableFile(path: place(name))),
      CRC32C.of(file.bytes(at: 0, count: file.byteCount)) == record.checksum
    else { return nil }
    return SolvedTensor(record: record, file: file)
  }

  /// Encodes a tensor into a file of its own.
  func keep(
    _ name: String, _ encoding: any Encoding, _ shape: EncodedShape,
    by solve: (_ sink: ([UnsafeRawBufferPointer]) throws -> Void) throws -> SolvedRecord
  ) throws -> SolvedTensor {
    let output = try AtomicOutputFile(path: place(name))
    var ends: [Int] = [0]
    for plane in encoding.planes(of: shape) ?? [] { ends.append(ends.last! + Self.room(plane.byteCount)) }
    try output.reserve(byteCount: ends.last!)
    var record = try solve { pieces in
      for (number, piece) in pieces.enumerated() {
        try output.write(piece, at: ends[number])
        ends[number] += piece.count
      }
    }
    try output.commit(byteCount: ends.last!)
    let file = try MappedFile(ReadableFile(path: place(name)))
    record.checksum = CRC32C.of(file.bytes(at: 0, count: file.byteCount))
    let kept = record
    try state.withLock { (state) throws(FileError) in
      try journal.append(kept.json.text())
      state.records[name] = kept
    }
    return SolvedTensor(record: record, file: file)
  }

  /// Planes begin at multiples of 64 bytes.
  static func room(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  /// Names in a file may hold what names of files may not.
  private func place(_ name: String) -> String {
    Folder.join(path, SHA256.of(Array(name.utf8)).description.prefix(32) + ".planes")
  }

  /// The output is whole.
  public func remove() { Folder.remove(path) { Self.isOurs($0) } }

  private static func isOurs(_ name: String) -> Bool {
    name == "journal" || name.hasSuffix(".planes") || name.hasPrefix(".") && name.hasSuffix(".partial")
  }
}

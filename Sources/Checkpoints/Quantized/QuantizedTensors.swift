import JSON
import Tensors

/// Finds tensors that other programs have quantized by the names of their parts, and puts what they stand for in place
/// of the parts.
struct QuantizedTensors {
  private(set) var entries: [Checkpoint.Entry] = []
  private(set) var notes: [String] = []

  /// - Parameters:
  ///   - entries: those of one folder.
  ///   - configFolder: where config.json may lie.
  init(_ entries: [Checkpoint.Entry], files: [Checkpoint.File], configFolder: String) throws(CheckpointError) {
    guard entries.contains(where: { QuantizedParts.isMark($0.info.name.utf8) }) else {
      self.entries = entries
      return
    }
    let config = try Self.config(configFolder)
    var parts = QuantizedParts(entries, files: files)
    var decoded: [Int: (info: TensorInfo, decoder: any TensorDecoder)] = [:]
    var used = Set<Int>()
    do throws(QuantizedError) {
      for number in entries.indices {
        parts.current.removeAll()
        guard let found = try parts.tensor(marked: number, config: config) else { continue }
        decoded[parts.current.min() ?? number] = found
        guard used.isDisjoint(with: parts.current) else { throw .describedTwice(tensor: found.info.name) }
        used.formUnion(parts.current)
      }
    } catch { throw .quantized(path: configFolder, error) }
    if parts.lacksConfig {
      notes.append("holds tensors quantized by MLX, but no config.json with their bits: shown as they are stored")
    }
    if let name = parts.leftAlone {
      notes.append("'\(name)' and perhaps others are quantized in a way that is not read: shown as they are stored")
    }
    for (number, entry) in entries.enumerated() {
      if let (info, decoder) = decoded[number] {
        self.entries.append(
          Checkpoint.Entry(
            info: info, folder: entry.folder, fileIndex: entry.fileIndex, offset: entry.offset,
            content: .decoded(decoder)))
      } else if !used.contains(number) {
        self.entries.append(entry)
      }
    }
  }

  private static func config(_ folder: String) throws(CheckpointError) -> JSONValue? {
    let path = Folder.join(folder, "config.json")
    guard Folder.hasFile(path) else { return nil }
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: path).contents() } catch { throw .file(error) }
    do { return try ConfigJSON.parse(bytes) } catch { throw .json(path: path, error) }
  }
}

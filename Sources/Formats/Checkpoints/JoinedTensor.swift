import Encodings
import Tensors

/// Several tensors as one: laid one after another along a dimension that they have, or along a new one.
struct JoinedTensor: StoredTensor {
  struct Part {
    let reader: any StoredTensor
    /// Bytes of one run of this part.
    let runByteCount: Int
  }

  let encodingName: String
  let parts: [Part]

  var storedByteCount: Int { parts.reduce(0) { $0 + $1.reader.storedByteCount } }
  var isLossy: Bool { parts.contains { $0.reader.isLossy } }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    // Runs of the parts take turns: one of each makes a row.
    let rowByteCount = parts.reduce(0) { $0 + $1.runByteCount }
    var done = 0
    while done < buffer.count {
      let (row, column) = ((offset + done) / rowByteCount, (offset + done) % rowByteCount)
      var start = 0
      for part in parts {
        defer { start += part.runByteCount }
        guard column >= start, column < start + part.runByteCount else { continue }
        let count = min(start + part.runByteCount - column, buffer.count - done)
        try part.reader.read(
          at: row * part.runByteCount + column - start,
          into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]))
        done += count
        break
      }
    }
  }
}

extension Checkpoint {
  /// How tensors are put together.
  public enum Joining: Sendable, Equatable {
    /// Along a dimension that all have.
    case concatenate(axis: Int)
    /// Along a new dimension.
    case stack(axis: Int)
  }

  /// Several tensors as one, in the place of the first; nil where their shapes or dtypes do not fit, or one can only be
  /// listed.
  public func joined(_ numbers: [Int], as name: TensorName, _ joining: Joining) -> Entry? {
    let members = numbers.map { entries[$0] }
    guard let first = members.first, members.allSatisfy({ $0.info.dtype == first.info.dtype }) else { return nil }
    var shape = first.info.shape
    let axis: Int
    switch joining {
    case .concatenate(let dimension):
      guard shape.indices.contains(dimension) else { return nil }
      axis = dimension
      shape[axis] = 0
      for member in members {
        var other = member.info.shape
        guard other.count == shape.count else { return nil }
        let (sum, overflow) = shape[axis].addingReportingOverflow(other[axis])
        guard !overflow else { return nil }
        other[axis] = shape[axis]
        guard other == shape else { return nil }
        shape[axis] = sum
      }
    case .stack(let dimension):
      guard dimension <= shape.count, members.allSatisfy({ $0.info.shape == shape }) else { return nil }
      axis = dimension
      shape.insert(members.count, at: axis)
    }
    guard let info = TensorInfo(name: name, dtype: first.info.dtype, shape: shape) else { return nil }
    let runs = first.info.shape[..<axis].reduce(1, *)
    var parts: [JoinedTensor.Part] = []
    for member in members {
      guard let reader = reader(of: member) else { return nil }
      parts.append(.init(reader: reader, runByteCount: runs == 0 ? 0 : member.info.byteCount / runs))
    }
    return Entry(
      info: info, folder: first.folder, fileIndex: first.fileIndex, offset: first.offset,
      content: .decoded(JoinedTensor(encodingName: first.encoding + ", joined", parts: parts)),
      stored: members.flatMap(\.stored), sourceName: first.sourceName)
  }

  private func reader(of entry: Entry) -> (any StoredTensor)? {
    switch entry.content {
    case .decoded(let decoder): decoder
    case .listedOnly: nil
    case .plain:
      JoinedBytes(
        encodingName: "plain",
        pieces: [
          .init(source: files[entry.fileIndex].source, offset: entry.offset, byteCount: entry.info.byteCount)
        ])
    }
  }
}

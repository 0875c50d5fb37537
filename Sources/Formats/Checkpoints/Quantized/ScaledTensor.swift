import Encodings
import Tensors

/// A matrix of codes with scales over blocks of it: `round(round(code * scale) + bias)`.
struct ScaledTensor: StoredFloats {
  enum Codes {
    /// Unsigned codes in a bit stream for each row, less `zero`.
    case packed(Plane, bits: Int, rowByteCount: Int, zero: Int)
    /// Codes of a byte: i8 or an 8-bit floating-point type.
    case bytes(Plane)
  }

  /// A number for each block of rows and columns.
  struct Blocks {
    let plane: Plane
    let rows: Int
    let columns: Int
    /// Blocks across a row.
    let across: Int
  }

  /// Zero points in place of a fixed zero.
  enum Zeros {
    case none
    /// One byte for each block of the scales.
    case bytes(Plane)
    /// A bit stream down the rows for each block across; `[ceil(rows * bits / 32), across]` words.
    case packed(Plane, bits: Int)
  }

  let encodingName: String
  let storedByteCount: Int
  let columns: Int
  let codes: Codes
  let scales: Blocks
  var biases: Plane?
  var zeros = Zeros.none
  /// The type whose rounding every operation has.
  var arithmetic = DType.f32
  /// What every value is multiplied with at the end.
  var factor: Float = 1

  func decode(from first: Int, into out: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    var done = 0
    while done < out.count {
      let (row, column) = ((first + done) / columns, (first + done) % columns)
      let count = min(columns - column, out.count - done)
      try decode(row: row, column: column, UnsafeMutableBufferPointer(rebasing: out[done..<done + count]))
      done += count
    }
  }

  private func decode(row: Int, column: Int, _ out: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    let blocks = column / scales.columns..<(column + out.count - 1) / scales.columns + 1
    let place = row / scales.rows * scales.across + blocks.lowerBound
    let scale = try scales.plane.floats(at: place, count: blocks.count)
    let bias = try biases?.floats(at: place, count: blocks.count)
    let zero = try zeroPoints(row: row, blocks: blocks, place: place)
    let values = try codeValues(row: row, column: column, count: out.count)
    for index in 0..<out.count {
      let block = (column + index) / scales.columns - blocks.lowerBound
      var value = rounded((values[index] - (zero?[block] ?? 0)) * scale[block], to: arithmetic)
      if let bias { value = rounded(value + bias[block], to: arithmetic) }
      out[index] = factor == 1 ? value : value * factor
    }
  }

  private func codeValues(row: Int, column: Int, count: Int) throws(FileError) -> [Float] {
    switch codes {
    case .bytes(let plane): return try plane.floats(at: row * columns + column, count: count)
    case .packed(let plane, let bits, let rowByteCount, let zero):
      return try plane.codes(bits: bits, start: row * rowByteCount, first: column, count: count)
        .map { Float(Int($0) - zero) }
    }
  }

  private func zeroPoints(row: Int, blocks: Range<Int>, place: Int) throws(FileError) -> [Float]? {
    switch zeros {
    case .none: return nil
    case .bytes(let plane): return try plane.floats(at: place, count: blocks.count)
    case .packed(let plane, let bits):
      // Codes of 4 and 8 bits never lie across two words.
      let word = row * bits / 32
      let bytes = try plane.bytes(at: (word * scales.across + blocks.lowerBound) * 4, count: 4 * blocks.count)
      var cursor = ByteCursor(bytes)
      return blocks.map { _ in
        let value = (cursor.take(UInt32.self) ?? 0) >> UInt32(row * bits % 32) & (1 << UInt32(bits) - 1)
        return Float(Int(value) - 1 << (bits - 1))
      }
    }
  }
}

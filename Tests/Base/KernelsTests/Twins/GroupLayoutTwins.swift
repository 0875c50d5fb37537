import CKernels

/// Group encodings by the formula of formats/bantam.md, section 8.
extension Twin {
  /// Where the code of an element of a stripe lies: its byte, and the bit of that at which it starts.
  static func codePlace(row: Int, column: Int, bits: Int) -> (byte: Int, shift: Int) {
    let (tile, inner) = (column / 32, column % 32)
    let lineColumns = bits == 8 ? 4 : 8
    let byte = tile * 64 * bits + inner / lineColumns * 64 + row * 4 + inner % 4
    return (byte, bits == 4 && inner % 8 >= 4 ? 4 : 0)
  }

  static func code(_ codes: [UInt8], row: Int, column: Int, bits: Int) -> Int {
    let place = codePlace(row: row, column: column, bits: bits)
    return Int(codes[place.byte]) >> place.shift & (1 << bits - 1)
  }

  /// `[rows, columns]`.
  static func decodeStripe(_ codes: [UInt8], _ scales: [UInt16], rows: Int, columns: Int, bits: Int) -> [Float] {
    (0..<rows).flatMap { row in
      (0..<columns).map { column in
        let scale = widenF16(scales[column / 32 * 16 + row])
        return scale * Float(code(codes, row: row, column: column, bits: bits) - 1 << (bits - 1))
      }
    }
  }

  /// `[columns, 32]`, of which the first 16 of each column are written.
  static func decodePanel(
    _ codes: [UInt8], _ scales: [UInt16], columns: Int, bits: Int, into panel: [Float]
  ) -> [Float] {
    var panel = panel
    let values = decodeStripe(codes, scales, rows: 16, columns: columns, bits: bits)
    for column in 0..<columns {
      for row in 0..<16 { panel[column * 32 + row] = values[row * columns + column] }
    }
    return panel
  }
}

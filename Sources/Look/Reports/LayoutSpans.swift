import Checkpoints
import Tensors

/// Collects the spans of a layout map, up to a limit for each plane or run.
struct LayoutSpans {
  let limit: Int
  private(set) var spans: [LayoutMap.Span] = []
  private(set) var total = 0

  init(limit: Int) { self.limit = limit }

  /// Rows, one after another.
  mutating func addRows(_ plane: String, in file: String? = nil, of shape: MatrixShape, start: Int, bits: Int) {
    let columns = shape.columns
    total += shape.rows
    for row in 0..<min(shape.rows, limit) {
      let range = start + row * columns * bits / 8..<start + ((row + 1) * columns * bits + 7) / 8
      spans.append(.init(plane: plane, file: file, rows: row..<row + 1, columns: 0..<columns, bytes: range))
    }
  }

  /// Rows whose elements lie at steps of a storage.
  mutating func addRows(_ plane: String, in file: String, of strides: Strides, start: Int, width: Int) {
    let columns = strides.columnCount
    total += strides.rowCount
    for row in 0..<min(strides.rowCount, limit) {
      let first = start + strides.start(ofRow: row) * width
      let end = first + ((columns - 1) * strides.columnStep + 1) * width
      spans.append(
        .init(
          plane: plane, file: file, rows: row..<row + 1, columns: 0..<columns,
          step: strides.columnStep == 1 || columns == 1 ? nil : strides.columnStep * width, bytes: first..<end))
    }
  }

  /// Pieces of some rows and some columns of a segment, one after another.
  mutating func addPieces(
    _ plane: String, in file: String? = nil, of shape: MatrixShape, _ grain: (rows: Int, columns: Int),
    segment width: Int, isTapMajor: Bool,
    bytes: (_ number: Int, _ stripe: Int, _ places: Range<Int>) -> Range<Int>
  ) {
    let perSegment = (width + grain.columns - 1) / grain.columns
    let across = shape.columns / max(1, width) * perSegment
    let count = (shape.rows + grain.rows - 1) / grain.rows * across
    total += count
    for number in 0..<min(limit, count) {
      let (stripe, place) = number.quotientAndRemainder(dividingBy: across)
      let (segment, piece) = place.quotientAndRemainder(dividingBy: perSegment)
      let inside = piece * grain.columns..<min(width, (piece + 1) * grain.columns)
      let places = segment * width + inside.lowerBound..<segment * width + inside.upperBound
      spans.append(
        .init(
          plane: plane, file: file, rows: stripe * grain.rows..<min(shape.rows, (stripe + 1) * grain.rows),
          columns: isTapMajor ? inside : places, tap: isTapMajor ? segment : nil,
          bytes: bytes(number, stripe, places)))
    }
  }

  /// All of a tensor in one span.
  mutating func addWhole(_ plane: String, in file: String, of shape: MatrixShape, bytes: Range<Int>) {
    guard shape.rows > 0 else { return }
    total += 1
    spans.append(.init(plane: plane, file: file, rows: 0..<shape.rows, columns: 0..<shape.columns, bytes: bytes))
  }
}

import BantamArchive
import Encodings
import JSONText
import Tensors

/// Which bytes of a file hold which part of a tensor.
public struct LayoutMap: Presentation {
  /// Rows and columns of elements, and the bytes that hold them.
  public struct Span: Sendable {
    public let plane: String
    public let rows: Range<Int>
    /// Where columns lie tap after tap, channels of `tap`.
    public let columns: Range<Int>
    public var tap: Int?
    public let bytes: Range<Int>
  }

  public let spans: [Span]
  /// Tiles or rows that are not listed.
  public let omittedCount: Int
  private let heading: String

  /// - Parameter limit: spans to list of each plane.
  public init(_ inspection: Inspection, _ tensor: Inspection.Tensor, limit: Int = 32) {
    let shape = tensor.info.matrix
    let (rows, columns) = (shape.rows, shape.columns)
    var spans: [Span] = []
    var total = 0
    var descriptions: [String] = []
    func addRows(_ plane: String, start: Int, bits: Int) {
      total += rows
      for row in 0..<min(rows, limit) {
        let range = start + row * columns * bits / 8..<start + ((row + 1) * columns * bits + 7) / 8
        spans.append(Span(plane: plane, rows: row..<row + 1, columns: 0..<columns, bytes: range))
      }
    }
    /// Pieces of some rows and some columns of a segment, one after another.
    func addPieces(
      _ plane: String, _ grain: (rows: Int, columns: Int), segment width: Int, isTapMajor: Bool,
      bytes: (_ number: Int, _ stripe: Int, _ places: Range<Int>) -> Range<Int>
    ) {
      let perSegment = (width + grain.columns - 1) / grain.columns
      let across = columns / max(1, width) * perSegment
      let count = (rows + grain.rows - 1) / grain.rows * across
      total += count
      for number in 0..<min(limit, count) {
        let (stripe, place) = number.quotientAndRemainder(dividingBy: across)
        let (segment, piece) = place.quotientAndRemainder(dividingBy: perSegment)
        let inside = piece * grain.columns..<min(width, (piece + 1) * grain.columns)
        let places = segment * width + inside.lowerBound..<segment * width + inside.upperBound
        spans.append(
          Span(
            plane: plane, rows: stripe * grain.rows..<min(rows, (stripe + 1) * grain.rows),
            columns: isTapMajor ? inside : places, tap: isTapMajor ? segment : nil,
            bytes: bytes(number, stripe, places)))
      }
    }
    if let archive = inspection.source.archive {
      let encoded = archive.encoded(tensor.number)
      for (number, plane) in archive.owner(of: tensor.number).planes.enumerated() {
        let name = plane.kind.map { "\($0)" } ?? "unknown"
        let layout = archive.index.layouts[plane.layout]
        descriptions.append("\(name): \(Self.describe(layout))")
        guard let encoded else { continue }
        switch (plane.kind, layout) {
        case (.values, .tiled(let tile)):
          addPieces(
            name, (tile.tileRows, tile.tileColumns),
            segment: tile.segmentColumns == 0 ? columns : tile.segmentColumns, isTapMajor: tile.columnOrder == .tapMajor
          ) { piece, _, _ in
            plane.offset + piece * tile.tileByteCount..<plane.offset + (piece + 1) * tile.tileByteCount
          }
        case (.values, _): addRows(name, start: plane.offset, bits: tensor.info.dtype.bitWidth)
        default:
          let (encoding, stored) = (encoded.encoding, encoded.shape)
          addPieces(
            name, encoding.grain, segment: stored.segmentColumns, isTapMajor: stored.order == .tapMajor
          ) { _, stripe, places in
            let range = encoding.byteRange(plane: number, of: stored, stripe: stripe, columns: places)
            return plane.offset + range.lowerBound..<plane.offset + range.upperBound
          }
        }
      }
    } else {
      let origin = inspection.source.tensors[tensor.number]
      if origin.encoding == "plain" {
        descriptions.append("values: row-major")
        addRows("values", start: origin.offset, bits: tensor.info.dtype.bitWidth)
      } else {
        // Only its decoder knows where each value is.
        descriptions.append("stored as \(origin.encoding)")
        total = 1
        spans.append(
          Span(
            plane: "stored", rows: 0..<rows, columns: 0..<columns,
            bytes: origin.offset..<origin.offset + origin.storedByteCount))
      }
    }
    self.spans = spans
    omittedCount = total - spans.count
    heading =
      "\(tensor.name)  \(tensor.info.shapeText) as \(rows) x \(columns)  " + descriptions.joined(separator: "; ")
  }

  /// A layout in words.
  public static func describe(_ layout: PlaneLayout) -> String {
    switch layout {
    case .rowMajor: "row-major"
    case .unknown(let kind): "unknown kind \(kind)"
    case .tiled(let tile):
      "tiles of \(tile.tileRows) x \(tile.tileColumns), turns of \(tile.turnColumns) columns, \(tile.elementBits) bits"
        + (tile.columnOrder == .tapMajor ? ", tap after tap" : "")
        + (tile.segmentColumns > 0 ? ", segments of \(tile.segmentColumns) columns" : "")
        + (tile.tileScaleByteCount > 0 ? ", \(tile.tileScaleByteCount) bytes of scales after each tile" : "")
    }
  }

  public var lines: [String] {
    var table = TextTable([("plane", .left), ("rows", .left), ("columns", .left), ("bytes", .left)])
    for span in spans {
      table.add([
        span.plane, "\(span.rows.lowerBound)-\(span.rows.upperBound - 1)",
        "\(span.columns.lowerBound)-\(span.columns.upperBound - 1)" + (span.tap.map { " of tap \($0)" } ?? ""),
        "\(span.bytes.lowerBound)-\(span.bytes.upperBound - 1)",
      ])
    }
    return [heading] + table.lines + (omittedCount > 0 ? ["... and \(omittedCount) more"] : [])
  }

  public var json: JSONValue {
    .members([
      "layout": .string(heading), "omitted": .int(omittedCount),
      "spans": .array(
        spans.map { span in
          .members([
            "plane": .string(span.plane), "rows": [.int(span.rows.lowerBound), .int(span.rows.upperBound)],
            "columns": [.int(span.columns.lowerBound), .int(span.columns.upperBound)],
            "tap": span.tap.map { .int($0) } ?? .null,
            "bytes": [.int(span.bytes.lowerBound), .int(span.bytes.upperBound)],
          ])
        }),
    ])
  }
}

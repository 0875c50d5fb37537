import Archive
import Conversion
import JSON
import Tensors

/// Which bytes of a file hold which part of a tensor.
public struct LayoutMap {
  /// Rows and columns of elements, and the bytes that hold them.
  public struct Span: Sendable {
    public let plane: String
    public let rows: Range<Int>
    public let columns: Range<Int>
    public let bytes: Range<Int>
  }

  public let spans: [Span]
  /// Tiles or rows that are not listed.
  public let omittedCount: Int
  private let heading: String

  /// - Parameter limit: spans to list.
  public init(_ inspection: Inspection, _ tensor: Inspection.Tensor, limit: Int = 32) {
    let (rows, columns) = tensor.info.matrix
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
    if let archive = inspection.source.archive {
      for plane in archive.owner(of: tensor.number).planes {
        let name = plane.kind.map { "\($0)" } ?? "unknown"
        let layout = archive.index.layouts[plane.layout]
        descriptions.append("\(name): \(Self.describe(layout))")
        switch layout {
        case .rowMajor: addRows(name, start: plane.offset, bits: tensor.info.dtype.bitWidth)
        case .unknown: break
        case .tiled(let tile):
          let (down, across) = (tile.tilesDown(rows: rows), tile.tilesAcross(columns: columns))
          total += down * across
          for number in 0..<min(limit, down * across) {
            let row = number / across * tile.tileRows
            let column = number % across * tile.tileColumns
            let start = plane.offset + number * tile.tileByteCount
            spans.append(
              Span(
                plane: name, rows: row..<min(rows, row + tile.tileRows),
                columns: column..<min(columns, column + tile.tileColumns), bytes: start..<start + tile.tileByteCount))
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
  public static func describe(_ layout: ArchiveIndex.Layout) -> String {
    switch layout {
    case .rowMajor: "row-major"
    case .unknown(let kind): "unknown kind \(kind)"
    case .tiled(let tile):
      "tiles of \(tile.tileRows) x \(tile.tileColumns), turns of \(tile.turnColumns) columns, \(tile.elementBits) bits"
        + (tile.tileScaleByteCount > 0 ? ", \(tile.tileScaleByteCount) bytes of scales after each tile" : "")
    }
  }

  public var text: String {
    var table = TextTable([("plane", .left), ("rows", .left), ("columns", .left), ("bytes", .left)])
    for span in spans {
      table.add([
        span.plane, "\(span.rows.lowerBound)-\(span.rows.upperBound - 1)",
        "\(span.columns.lowerBound)-\(span.columns.upperBound - 1)",
        "\(span.bytes.lowerBound)-\(span.bytes.upperBound - 1)",
      ])
    }
    return heading + "\n" + table.text + (omittedCount > 0 ? "\n... and \(omittedCount) more" : "")
  }

  public var json: JSONValue {
    .members([
      "layout": .string(heading), "omitted": .int(omittedCount),
      "spans": .array(
        spans.map { span in
          .members([
            "plane": .string(span.plane), "rows": [.int(span.rows.lowerBound), .int(span.rows.upperBound)],
            "columns": [.int(span.columns.lowerBound), .int(span.columns.upperBound)],
            "bytes": [.int(span.bytes.lowerBound), .int(span.bytes.upperBound)],
          ])
        }),
    ])
  }
}

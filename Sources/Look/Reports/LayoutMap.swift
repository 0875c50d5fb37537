import BantamArchive
import Checkpoints
import Documents
import Encodings
import JSONText
import ModelSources
import Tensors

/// Which bytes of a file hold which part of a tensor.
public struct LayoutMap: Sendable {
  /// Rows and columns of elements, and the bytes that hold them.
  public struct Span: Sendable {
    public let plane: String
    /// Of a source of several files, the one that the bytes lie in.
    public var file: String?
    public let rows: Range<Int>
    /// Where columns lie tap after tap, channels of `tap`.
    public let columns: Range<Int>
    public var tap: Int?
    /// Bytes from one element to the next, where they do not lie one after another.
    public var step: Int?
    public let bytes: Range<Int>
  }

  public let spans: [Span]
  /// Tiles or rows that are not listed.
  public let omittedCount: Int
  /// What each plane or run is, in words.
  public let descriptions: [String]
  private let path: String
  private let tensor: Inspection.Tensor

  /// Spans of each plane that are listed where nobody asks for more.
  public static let usualLimit = 32

  /// - Parameter limit: spans to list of each plane.
  public init(_ inspection: Inspection, _ tensor: Inspection.Tensor, limit: Int = LayoutMap.usualLimit) {
    var spans = LayoutSpans(limit: limit)
    var descriptions: [String] = []
    if let archive = inspection.source.archive {
      descriptions = Self.add(archive, tensor, to: &spans)
    } else {
      let (runs, files) = (inspection.source.storedRuns(tensor.number) ?? [], inspection.source.files.map(\.path))
      for run in runs {
        let (name, file) = (runs.count == 1 ? "values" : run.name.text, files[run.fileIndex])
        let described = Self.add(run, as: name, in: file, tensor, to: &spans)
        descriptions.append(files.count == 1 ? described : "\(described), in \(file)")
      }
    }
    self.spans = spans.spans
    omittedCount = spans.total - spans.spans.count
    self.descriptions = descriptions
    path = inspection.source.path
    self.tensor = tensor
  }

  private static func text(_ shape: MatrixShape) -> String { "\(shape.rows) x \(shape.columns)" }

  /// The planes of a native file.
  private static func add(_ archive: Archive, _ tensor: Inspection.Tensor, to spans: inout LayoutSpans) -> [String] {
    let shape = tensor.info.matrix
    let encoded = archive.encoded(tensor.number)
    var descriptions: [String] = []
    for (number, plane) in archive.owner(of: tensor.number).planes.enumerated() {
      let name = plane.kind.map { "\($0)" } ?? "unknown"
      let layout = archive.index.layouts[plane.layout]
      let book = (encoded?.encoding as? BookEncoding)?.book
      let byte = plane.kind == .scales ? book.map { "; a byte: \(BookDescription.byte(of: $0))" } ?? "" : ""
      descriptions.append("\(name) as \(text(shape)): \(describe(layout))\(byte)")
      guard let encoded else { continue }
      switch (plane.kind, layout) {
      case (.values, .tiled(let tile)):
        spans.addPieces(
          name, of: shape, (tile.tileRows, tile.tileColumns),
          segment: tile.segmentColumns == 0 ? shape.columns : tile.segmentColumns,
          isTapMajor: tile.columnOrder == .tapMajor
        ) { piece, _, _ in
          plane.offset + piece * tile.tileByteCount..<plane.offset + (piece + 1) * tile.tileByteCount
        }
      case (.rowScales, _):
        let (encoding, stored) = (encoded.encoding, encoded.shape)
        spans.addPieces(
          name, of: shape, (encoding.grain.rows, shape.columns), segment: shape.columns, isTapMajor: false
        ) { stripe, _, _ in
          let range = encoding.byteRange(plane: number, of: stored, stripe: stripe, columns: 0..<0)
          return plane.offset + range.lowerBound..<plane.offset + range.upperBound
        }
      case (.values, _): spans.addRows(name, of: shape, start: plane.offset, bits: tensor.info.dtype.bitWidth)
      default:
        let (encoding, stored) = (encoded.encoding, encoded.shape)
        spans.addPieces(
          name, of: shape, encoding.grain, segment: stored.segmentColumns, isTapMajor: stored.order == .tapMajor
        ) { _, stripe, places in
          let range = encoding.byteRange(plane: number, of: stored, stripe: stripe, columns: places)
          return plane.offset + range.lowerBound..<plane.offset + range.upperBound
        }
      }
    }
    return descriptions
  }

  /// A run of another program's file, in rows and columns of its own.
  private static func add(
    _ run: Checkpoint.StoredRun, as name: String, in file: String, _ tensor: Inspection.Tensor,
    to spans: inout LayoutSpans
  ) -> String {
    switch run.form {
    case .plain(let dtype, let shape):
      let shape = TensorInfo(name: run.name, dtype: dtype, shape: shape)?.matrix ?? tensor.info.matrix
      spans.addRows(name, in: file, of: shape, start: run.offset, bits: dtype.bitWidth)
      return "\(name) as \(text(shape)): \(dtype.name), row-major"
    case .view(let view):
      let place = "from element \(view.storageOffset) of the storage at byte \(view.storage.lowerBound)"
      guard !view.strides.isContiguous else {
        spans.addRows(name, in: file, of: tensor.info.matrix, start: run.offset, bits: view.dtype.bitWidth)
        return "\(name) as \(text(tensor.info.matrix)): \(view.dtype.name), row-major, \(place)"
      }
      let strides = view.strides
      spans.addRows(name, in: file, of: strides, start: run.offset, width: view.dtype.bitWidth / 8)
      return "\(name) as \(strides.rowCount) x \(strides.columnCount): \(view.dtype.name), strides \(strides.steps), "
        + place
    case .blocks(let blocks):
      let width = blocks.blocksPerRow * blocks.elementsPerBlock
      let shape = MatrixShape(rows: blocks.rows, columns: width)
      // A type of plain elements has blocks of one: its rows say more.
      guard blocks.elementsPerBlock > 1 else {
        spans.addRows(name, in: file, of: shape, start: run.offset, bits: 8 * blocks.bytesPerBlock)
        return "\(name) as \(text(shape)): \(blocks.type), row-major"
      }
      spans.addPieces(
        name, in: file, of: shape, (1, blocks.elementsPerBlock), segment: width, isTapMajor: false
      ) { number, _, _ in
        run.offset + number * blocks.bytesPerBlock..<run.offset + (number + 1) * blocks.bytesPerBlock
      }
      return "\(name) as \(text(shape)): \(blocks.type), rows of \(blocks.blocksPerRow) "
        + (blocks.blocksPerRow == 1 ? "block, " : "blocks, ")
        + "\(blocks.elementsPerBlock) elements in \(blocks.bytesPerBlock) bytes"
    case .packed:
      // Only its decoder knows where each value is.
      let shape = tensor.info.matrix
      spans.addWhole(name, in: file, of: shape, bytes: run.offset..<run.offset + run.byteCount)
      return "\(name) as \(text(shape)): stored as \(tensor.encoding)"
    }
  }

  /// A layout of a native file in words.
  public static func describe(_ layout: PlaneLayout) -> String {
    switch layout {
    case .rowMajor: "row-major"
    case .unknown(let kind): "unknown kind \(kind)"
    case .tiled(let tile):
      "tiles of \(tile.tileRows) x \(tile.tileColumns), turns of \(tile.turnColumns) columns, \(tile.elementBits) bits"
        + (tile.isSliced
          ? " in slices of \([4, 2, 1].filter { tile.elementBits & $0 != 0 }.map { "\($0)" }.joined(separator: " and ")), lowest bits first"
          : "")
        + (tile.columnOrder == .tapMajor ? ", tap after tap" : "")
        + (tile.segmentColumns > 0 ? ", segments of \(tile.segmentColumns) columns" : "")
        + (tile.tileScaleByteCount > 0 ? ", \(tile.tileScaleByteCount) bytes of scales after each tile" : "")
    }
  }

  public var document: Document {
    var document = Document(schema: "bantam.layout.1")
    document.data("path", .string(path))
    document.fact("name", "tensor", .name(tensor.name.text))
    document.fact("shape", "shape", .shape(tensor.info.shape))
    document.data("layout", .array(descriptions.map { .string($0) }))
    for (number, description) in descriptions.enumerated() {
      document.fact(nil, number == 0 ? "layout" : "", .text(description))
    }
    let hasFiles = Set(spans.map(\.file)).count > 1
    var table = Table(
      "spans",
      [
        .init("plane", "plane"), .init("rows", "rows"), .init("columns", "columns"), .init("tap", "tap"),
        .init("bytes", "bytes"), .init("step", "every"), .init("file", hasFiles ? "file" : nil),
      ])
    for span in spans {
      table.add([
        .name(span.plane), .range(span.rows), .range(span.columns), span.tap.map { .count($0) } ?? .absent,
        .range(span.bytes), span.step.map { .count($0) } ?? .absent, span.file.map { .name($0) } ?? .absent,
      ])
    }
    document.add(table)
    document.data("omitted", .int(omittedCount))
    if omittedCount > 0 { document.note("\(omittedCount) more spans") }
    return document
  }
}

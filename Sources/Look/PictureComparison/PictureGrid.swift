import Pictures

/// Pictures in rows and columns as one picture, with thin gaps and labels.
///
/// Pictures may differ in size: each is in the middle of its cell. All of them and the result are in memory at once.
public struct PictureGrid: Sendable {
  /// Row by row; the last row may be shorter.
  public let pictures: [Picture]
  public let columnCount: Int
  /// One a column, above it, or none at all. Text that is wider than its column is shortened in the middle; the font has ASCII, and
  /// a box for all else.
  public let columnLabels: [String]
  /// One a row, left of it, or none at all; of at most 24 characters, else shortened in the middle.
  public let rowLabels: [String]

  private static let paper = SIMD3<UInt8>(248, 248, 246)
  private static let ink = SIMD3<UInt8>(40, 40, 44)
  /// Characters of a column's label that narrow pictures make room for.
  private static let smallestLabel = 12
  private static let largestRowLabel = 24

  /// - Throws: ``PictureComparisonError/noPictures``, ``PictureComparisonError/labelCount(of:expected:found:)``.
  public init(
    _ pictures: [Picture], columns: Int, columnLabels: [String] = [], rowLabels: [String] = []
  ) throws(PictureComparisonError) {
    guard !pictures.isEmpty, columns > 0 else { throw .noPictures }
    self.pictures = pictures
    columnCount = min(columns, pictures.count)
    self.columnLabels = columnLabels
    self.rowLabels = rowLabels
    guard [0, columnCount].contains(columnLabels.count) else {
      throw .labelCount(of: "columns", expected: columnCount, found: columnLabels.count)
    }
    guard [0, rowCount].contains(rowLabels.count) else {
      throw .labelCount(of: "rows", expected: rowCount, found: rowLabels.count)
    }
  }

  /// A reference, another picture, and the map of their difference, which says its gain.
  public init(
    reference: Picture, _ other: Picture, _ map: DifferenceMap, labels: (reference: String, other: String)
  ) throws(PictureComparisonError) {
    try self.init(
      [reference, other, map.picture], columns: 3,
      columnLabels: [labels.reference, labels.other, "difference x\(map.gain)"])
  }

  public var rowCount: Int { (pictures.count - 1) / columnCount + 1 }

  /// - Throws: ``PictureComparisonError/gridTooLarge(width:height:)``.
  public func picture() throws(PictureComparisonError) -> Picture {
    let layout = Layout(self)
    guard max(layout.width, layout.height) <= Picture.sideLimit, layout.width * layout.height <= Picture.pixelLimit
    else { throw .gridTooLarge(width: layout.width, height: layout.height) }
    var canvas = Canvas(width: layout.width, height: layout.height, colour: Self.paper)
    for (number, picture) in pictures.enumerated() {
      let (column, row) = (layout.columns[number % columnCount], layout.rows[number / columnCount])
      canvas.draw(
        picture, x: column.start + (column.size - picture.width) / 2, y: row.start + (row.size - picture.height) / 2)
    }
    func write(_ label: String, x: Int, y: Int) {
      canvas.write(label, x: x, y: y, scale: layout.scale, colour: Self.ink)
    }
    for (label, column) in zip(columnLabels, layout.columns) {
      // A character's space between neighbours.
      let text = BitmapFont.shortened(label, toWidth: column.size / layout.scale - BitmapFont.advance)
      write(text, x: column.start + (column.size - BitmapFont.width(of: text) * layout.scale) / 2, y: layout.gap)
    }
    for (label, row) in zip(layout.rowLabels, layout.rows) {
      write(label, x: layout.gap, y: row.start + (row.size - BitmapFont.height * layout.scale) / 2)
    }
    return canvas.picture
  }

  /// Where everything goes, in pixels.
  private struct Layout {
    /// Pixels of a dot of the font: about a thirtieth of a picture's width is a line of text.
    let scale: Int
    let gap: Int
    let columns: [(start: Int, size: Int)]
    let rows: [(start: Int, size: Int)]
    let rowLabels: [String]
    let width: Int
    let height: Int

    init(_ grid: PictureGrid) {
      let widest = grid.pictures.map(\.width).max() ?? 0
      let scale = max(1, min(8, widest / 256))
      let gap = 4 * scale
      let longest = grid.columnLabels.map {
        min(BitmapFont.width(of: $0), BitmapFont.width(count: smallestLabel)) + BitmapFont.advance
      }
      let widths = (0..<grid.columnCount).map { column in
        let pictures = stride(from: column, to: grid.pictures.count, by: grid.columnCount).map {
          grid.pictures[$0].width
        }
        return max(pictures.max() ?? 0, grid.columnLabels.isEmpty ? 0 : longest[column] * scale)
      }
      let heights = (0..<grid.rowCount).map { row in
        let pictures = grid.pictures[row * grid.columnCount..<min((row + 1) * grid.columnCount, grid.pictures.count)]
        return max(pictures.map(\.height).max() ?? 0, grid.rowLabels.isEmpty ? 0 : BitmapFont.height * scale)
      }
      let rowLabels = grid.rowLabels.map {
        BitmapFont.shortened($0, toWidth: BitmapFont.width(count: PictureGrid.largestRowLabel))
      }
      let left = rowLabels.map { BitmapFont.width(of: $0) * scale + gap }.max() ?? 0
      let top = grid.columnLabels.isEmpty ? 0 : BitmapFont.height * scale + gap
      (columns, width) = Self.placed(widths, from: left + gap, gap: gap)
      (rows, height) = Self.placed(heights, from: top + gap, gap: gap)
      self.rowLabels = rowLabels
      self.scale = scale
      self.gap = gap
    }

    /// Sizes one behind the other, and where the last gap ends.
    private static func placed(
      _ sizes: [Int], from start: Int, gap: Int
    ) -> (places: [(start: Int, size: Int)], end: Int) {
      var end = start
      var places: [(start: Int, size: Int)] = []
      for size in sizes {
        places.append((end, size))
        end += size + gap
      }
      return (places, end)
    }
  }
}

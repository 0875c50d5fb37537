import Kernels

/// How the result of a convolution is cut into items: tiles of pixels, and parts of the outputs. The cut changes no bit of the result.
struct OutputTiles: Sendable {
  /// Pixels of a tile.
  let rows: Int
  let columns: Int
  private let down: Int
  private let across: Int
  private let batch: Int
  /// Parts of the outputs.
  private let parts: Int
  private let outputsOfPart: Int

  /// - Parameters:
  ///   - rows, columns: pixels of a tile.
  ///   - grain: outputs that are not parted.
  ///   - limit: outputs of a part at the most.
  init(_ out: Activation, rows: Int, columns: Int, grain: Int, limit: Int, threadCount: Int) {
    self.rows = rows
    self.columns = columns
    batch = out.batch
    down = (out.height + rows - 1) / rows
    across = (out.width + columns - 1) / columns
    // Enough items for all threads, and no more: each part reads the tile's pixels anew.
    let grains = (out.channels + grain - 1) / grain
    let wanted = max(1, min(grains, 4 * threadCount / max(1, batch * down * across)))
    outputsOfPart = min(limit, (grains + wanted - 1) / wanted * grain)
    parts = (out.channels + outputsOfPart - 1) / outputsOfPart
  }

  var itemCount: Int { batch * down * across * parts }

  struct Item {
    let sample: Int
    let firstRow: Int
    let firstColumn: Int
    let rowCount: Int
    let columnCount: Int
    let outputs: Range<Int>

    var pixelCount: Int { rowCount * columnCount }

    /// Writes the pixels: their sums, the bias, and what follows.
    func finish(_ sums: ProductSums, out: Activation, bias: Vector, then tail: ProductTail) {
      let corner = (sample * out.height + firstRow) * out.width + firstColumn
      for row in 0..<rowCount {
        for column in 0..<columnCount {
          let pixel = corner + row * out.width + column
          sums.finish(row * columnCount + column, out: out.row(pixel), bias: bias, then: tail.row(pixel))
        }
      }
    }
  }

  func item(_ number: Int, of out: Activation) -> Item {
    let (tile, part) = number.quotientAndRemainder(dividingBy: parts)
    let (firstRow, firstColumn) = (tile / across % down * rows, tile % across * columns)
    return Item(
      sample: tile / (down * across), firstRow: firstRow, firstColumn: firstColumn,
      rowCount: min(rows, out.height - firstRow), columnCount: min(columns, out.width - firstColumn),
      outputs: part * outputsOfPart..<min(out.channels, (part + 1) * outputsOfPart))
  }
}

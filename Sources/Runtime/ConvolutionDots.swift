import Kernels

extension Execution {
  /// A convolution whose codes are multiplied as they lie. The whole input, normalized, is quantized once, with a border of zeros: each
  /// pixel's channels, cut as a tap's are, serve all nine taps.
  func convolveDots(
    _ layer: Convolution, _ input: ConvolutionInput, plus residual: Activation?, into out: Activation,
    _ operation: NetworkOperation
  ) throws {
    let picture = QuantizedPicture(
      batch: out.batch, height: input.height + 2, width: input.width + 2,
      groups: GroupTile.count(columns: layer.channels))
    let memory = takeGroups(rows: picture.batch * picture.height * picture.width, groups: picture.groups)
    defer { give(memory) }
    lookForOutliers(layer.path, input.x)
    try perform(operation, output: out, prepare: layer.weight) {
      let quantized = QuantizedGroups(memory.base, count: picture.groupCount)
      parallel(picture.batch * picture.height) { item, scratch in
        picture.quantize(input, row: item, into: quantized, scratch)
      }
      let tiles = DotTiles(layer, out, threadCount: threadCount)
      parallel(out.batch * tiles.down * tiles.across * tiles.parts) { item, scratch in
        tiles.run(item, layer, picture, quantized, residual, out, scratch)
      }
    }
  }
}

/// A padded picture of groups.
private struct QuantizedPicture {
  let batch: Int
  /// With the border.
  let height: Int
  let width: Int
  /// Groups of a pixel.
  let groups: Int

  var groupCount: Int { batch * height * width * groups }

  /// The first group of a pixel.
  func place(sample: Int, y: Int, x: Int) -> Int { ((sample * height + y) * width + x) * groups }

  /// Quantizes one row, border and all.
  func quantize(_ input: ConvolutionInput, row: Int, into quantized: QuantizedGroups, _ memory: Scratch) {
    let (sample, y) = row.quotientAndRemainder(dividingBy: height)
    let channels = input.x.channels
    var scratch = memory
    // As many pixels as stay in the second-level cache.
    let run = max(1, min(width, (1 << 16) / channels))
    let pixels = scratch.take(Float.self, run * channels)
    for first in stride(from: 0, to: width, by: run) {
      let count = min(run, width - first)
      input.copy(sample: sample, y: y - 1, from: first - 1, count: count, into: pixels)
      quantized.quantize(pixels, rowCount: count, columns: channels, at: place(sample: sample, y: y, x: first))
    }
  }
}

/// How the result is cut into items. The cut changes no bit of the result.
private struct DotTiles: Sendable {
  let rows: Int
  let columns: Int
  let down: Int
  let across: Int
  /// Parts of the outputs.
  let parts: Int
  let outputsOfPart: Int

  /// Pixels of an item, and its outputs: their sums stay in the second-level cache.
  private static let pixelLimit = 256
  private static let outputLimit = 512

  init(_ layer: Convolution, _ out: Activation, threadCount: Int) {
    columns = min(out.width, 128)
    rows = max(1, min(out.height, Self.pixelLimit / max(1, columns)))
    down = (out.height + rows - 1) / rows
    across = (out.width + columns - 1) / columns
    let wanted = max(1, 4 * threadCount / max(1, out.batch * down * across))
    let tiles = (layer.outputs + 2 * GroupTile.rows - 1) / (2 * GroupTile.rows)
    outputsOfPart = min(Self.outputLimit, max(1, tiles / wanted) * 2 * GroupTile.rows)
    parts = (layer.outputs + outputsOfPart - 1) / outputsOfPart
  }

  func run(
    _ item: Int, _ layer: Convolution, _ picture: QuantizedPicture, _ quantized: QuantizedGroups,
    _ residual: Activation?, _ out: Activation, _ memory: Scratch
  ) {
    var scratch = memory
    let (tile, part) = item.quotientAndRemainder(dividingBy: parts)
    let sample = tile / (down * across)
    let (firstRow, firstColumn) = (tile / across % down * rows, tile % across * columns)
    let (rowCount, columnCount) = (min(rows, out.height - firstRow), min(columns, out.width - firstColumn))
    let outputs = part * outputsOfPart..<min(layer.outputs, (part + 1) * outputsOfPart)
    let sums = ProductSums(&scratch, rows: rowCount * columnCount, outputs: outputs)
    let taps = scratch.take(Int.self, 9)
    for tap in 0..<9 { taps[tap] = (tap / 3 * picture.width + tap % 3) * picture.groups }
    let matrix = layer.weight.matrix
    for row in 0..<rowCount {
      let pixel = picture.place(
        sample: sample, y: (firstRow + row) * layer.stride, x: firstColumn * layer.stride)
      matrix.encoding.multiply(
        matrix, outputs: outputs,
        by: QuantizedRows(
          quantized, first: pixel, rowCount: columnCount, stride: layer.stride * picture.groups,
          runs: UnsafeBufferPointer(start: taps, count: 9), runGroups: picture.groups),
        into: sums.base + row * columnCount * outputs.count, stride: outputs.count)
    }
    let corner = (sample * out.height + firstRow) * out.width + firstColumn
    for row in 0..<rowCount {
      for column in 0..<columnCount {
        let pixel = corner + row * out.width + column
        sums.finish(
          row * columnCount + column, out: out.row(pixel), residual: residual?.row(pixel), bias: layer.bias)
      }
    }
  }
}

import Kernels

extension Execution {
  /// Queries that share a key's rounding at the least: fewer do not pay for it.
  private static let leastQueries = 64

  /// Whether an attention is computed in 8 bits.
  func roundsAttention(_ layer: Attention, queries: Int) -> Bool {
    guard queries >= Self.leastQueries else { return false }
    switch mode {
    case .f32, .bf16: return false
    case .int8: return layer.rounding != .visible
    case .auto: return layer.rounding == .hidden && DotProduct.isFast
    }
  }

  /// Attention whose two products are of 8 bits: each query, key and run of 32 values of a channel is rounded once, in groups of 32, the
  /// softmax's powers too. Source: Zhang et al., "SageAttention", which rounds coarser.
  func attendDots(
    _ layer: Attention, q: Activation, k: Activation, v: Activation, into out: Activation
  ) throws {
    let keys = RoundedKeys(
      batch: k.batch, heads: layer.keyHeads, count: k.pixelCount, headWidth: q.channels / layer.heads)
    let queryMemory = takeGroups(rows: q.rowCount * layer.heads, groups: keys.groupsOfHead)
    let keyMemory = take(width: 1, channels: keys.byteCount / MemoryLayout<Float>.stride)
    defer {
      give(keyMemory)
      give(queryMemory)
    }
    for rounded in [q, k] {
      lookForOutliers(layer.path, rowCount: rounded.rowCount, columns: rounded.channels) { row, _ in
        UnsafePointer(rounded.row(row))
      }
    }
    try perform(
      attentionOperation(layer, q, k, pairCount: q.pixelCount * k.pixelCount), inputs: [q, k, v], output: out
    ) {
      let queries = QuantizedGroups(queryMemory.base, count: q.rowCount * layer.heads * keys.groupsOfHead)
      parallelRows(q.rowCount, columns: q.channels) { rows in
        queries.quantize(
          q.row(rows.lowerBound), rowCount: rows.count * layer.heads, columns: keys.headWidth,
          at: rows.lowerBound * layer.heads * keys.groupsOfHead)
      }
      let tiles = RoundedTiles(keyMemory.base, count: keys.tileCount)
      parallel(keys.batch * keys.heads * keys.blockCount) { item, _ in keys.round(k, v, item: item, into: tiles) }
      let step = RoundedAttentionBlock.queryCount
      let blocks = (q.pixelCount + step - 1) / step
      parallel(q.batch * layer.heads * blocks) { item, scratch in
        let first = item % blocks * step
        RoundedAttentionBlock(
          keys: keys, tiles: tiles, groups: queries, heads: layer.heads, out: out,
          sample: item / blocks / layer.heads, head: item / blocks % layer.heads,
          queries: first..<min(q.pixelCount, first + step)
        ).run(scratch)
      }
    }
  }
}

/// Where the keys and values of an attention lie once they are rounded: all heads' keys, a tile's row a key; then their values, a tile's row
/// a channel, block after block of keys.
private struct RoundedKeys {
  /// Keys whose scores are held at once.
  static let blockWidth = 256
  private static let groupsOfBlock = blockWidth / GroupTile.columns

  let batch: Int
  let heads: Int
  let count: Int
  let headWidth: Int

  var groupsOfHead: Int { GroupTile.count(columns: headWidth) }
  var blockCount: Int { (count + Self.blockWidth - 1) / Self.blockWidth }
  private var stripesOfHead: Int { (headWidth + GroupTile.rows - 1) / GroupTile.rows }
  private var keyTilesOfBlock: Int { Self.blockWidth / GroupTile.rows * groupsOfHead }
  private var valueTilesOfBlock: Int { stripesOfHead * Self.groupsOfBlock }

  var tileCount: Int { batch * heads * blockCount * (keyTilesOfBlock + valueTilesOfBlock) }
  var byteCount: Int { tileCount * RoundedTiles.byteCount }

  /// Keys of a block.
  func keys(block: Int) -> Range<Int> { block * Self.blockWidth..<min(count, (block + 1) * Self.blockWidth) }

  func keyTile(sample: Int, head: Int, block: Int) -> Int {
    ((sample * heads + head) * blockCount + block) * keyTilesOfBlock
  }

  func valueTile(sample: Int, head: Int, block: Int) -> Int {
    batch * heads * blockCount * keyTilesOfBlock + ((sample * heads + head) * blockCount + block) * valueTilesOfBlock
  }

  /// Rounds one block of one head.
  func round(_ k: Activation, _ v: Activation, item: Int, into tiles: RoundedTiles) {
    let (sample, head, block) = (item / blockCount / heads, item / blockCount % heads, item % blockCount)
    let keys = keys(block: block)
    let row = sample * count + keys.lowerBound
    var tile = keyTile(sample: sample, head: head, block: block)
    for first in stride(from: 0, to: keys.count, by: GroupTile.rows) {
      tiles.round(
        rows: k.row(row + first) + head * headWidth, stride: k.channels,
        rowCount: min(GroupTile.rows, keys.count - first), columns: headWidth, at: tile)
      tile += groupsOfHead
    }
    tile = valueTile(sample: sample, head: head, block: block)
    for first in stride(from: 0, to: headWidth, by: GroupTile.rows) {
      tiles.round(
        columns: v.row(row) + head * headWidth + first, stride: v.channels, rowCount: keys.count,
        columnCount: min(GroupTile.rows, headWidth - first), at: tile)
      tile += GroupTile.count(columns: keys.count)
    }
  }
}

/// One head's attention of a block of queries to all keys.
private struct RoundedAttentionBlock {
  /// Queries of a block: their scores stay in the second-level cache.
  static let queryCount = 128

  let keys: RoundedKeys
  let tiles: RoundedTiles
  /// The queries.
  let groups: QuantizedGroups
  let heads: Int
  let out: Activation
  let sample: Int
  let head: Int
  let queries: Range<Int>

  func run(_ memory: Scratch) {
    var scratch = memory
    let (count, width) = (queries.count, keys.headWidth)
    let scores = scratch.take(Float.self, count * RoundedKeys.blockWidth)
    let sum = scratch.take(Float.self, count * width)
    let part = scratch.take(Float.self, count * width)
    let maxima = scratch.take(Float.self, count)
    let sums = scratch.take(Float.self, count)
    let powerCount = count * GroupTile.count(columns: RoundedKeys.blockWidth)
    let powers = QuantizedGroups(
      scratch.take(UInt8.self, powerCount * QuantizedGroups.byteCount), count: powerCount)
    sum.update(repeating: 0, count: count * width)
    maxima.update(repeating: -.infinity, count: count)
    sums.update(repeating: 0, count: count)
    let keyHead = head / (heads / keys.heads)
    for block in 0..<keys.blockCount {
      let width = keys.keys(block: block).count
      multiply(
        groups, first: ((sample * out.pixelCount + queries.lowerBound) * heads + head) * keys.groupsOfHead,
        stride: heads * keys.groupsOfHead, depth: keys.groupsOfHead,
        at: keys.keyTile(sample: sample, head: keyHead, block: block), outputs: width, into: scores)
      Norms.softmaxBlock(
        scores: scores, rows: count, width: width, scale: 1 / Float(keys.headWidth).squareRoot(), maxima: maxima,
        sums: sums, output: sum, outputColumns: keys.headWidth, roundedInto: powers)
      let depth = GroupTile.count(columns: width)
      multiply(
        powers, first: 0, stride: depth, depth: depth,
        at: keys.valueTile(sample: sample, head: keyHead, block: block), outputs: keys.headWidth, into: part)
      Elementwise.add(part, to: sum, count: count * keys.headWidth)
    }
    out.writeMeans(
      sum, over: sums, rows: count, from: sample * out.pixelCount + queries.lowerBound, channel: head * width,
      count: width)
  }

  /// The products of all rows with the outputs of a block: `[queries, outputs]`.
  private func multiply(
    _ rows: QuantizedGroups, first: Int, stride: Int, depth: Int, at tile: Int, outputs: Int,
    into result: UnsafeMutablePointer<Float>
  ) {
    withUnsafePointer(to: 0) { start in
      tiles.multiply(
        QuantizedRows(
          rows, first: first, rowCount: queries.count, stride: stride,
          runs: UnsafeBufferPointer(start: start, count: 1), runGroups: depth),
        at: tile, outputCount: outputs, into: result, stride: outputs)
    }
  }
}

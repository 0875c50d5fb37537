import Kernels

/// Softmax attention over heads, in blocks: the scores of a block of queries and a block of keys are all that is ever
/// held. Source: Dao et al., "FlashAttention", the forward pass.
public struct Attention: Sendable {
  public let path: String
  public let heads: Int
  /// Heads of keys and values; a divisor of `heads`.
  public let keyHeads: Int
  /// Whether query i sees keys 0...i only, counted from the end where there are more keys.
  public let isCausal: Bool

  public init(path: String, heads: Int, keyHeads: Int? = nil, isCausal: Bool = false) {
    self.path = path
    self.heads = heads
    self.keyHeads = keyHeads ?? heads
    self.isCausal = isCausal
    precondition(heads % self.keyHeads == 0)
  }
}

extension Execution {
  /// Queries and keys of a block.
  private static let queryBlock = 192
  private static let keyBlock = 512

  /// - Parameters:
  ///   - q: `[batch, n, heads * d]`, k, v: `[batch, m, keyHeads * d]`.
  ///   - out: `[batch, n, heads * d]`, overwritten; may be q.
  public func attend(_ layer: Attention, q: Activation, k: Activation, v: Activation, into out: Activation) throws {
    let headWidth = q.channels / layer.heads
    precondition(q.channels == layer.heads * headWidth && k.channels == layer.keyHeads * headWidth)
    precondition(v.channels == k.channels && v.count == k.count && out.count == q.count && q.batch == k.batch)
    precondition(!layer.isCausal || q.pixelCount <= k.pixelCount)
    try perform(
      NetworkOperation(
        path: layer.path, kind: .attention, operationCount: 4 * q.count * k.pixelCount / (layer.isCausal ? 2 : 1),
        weightByteCount: 0, activationByteCount: 2 * q.byteCount + 2 * k.byteCount),
      output: out
    ) {
      let blocks = (q.pixelCount + Self.queryBlock - 1) / Self.queryBlock
      parallel(q.batch * layer.heads * blocks) { item, scratch in
        let block = item % blocks * Self.queryBlock
        AttentionBlock(
          layer: layer, q: q, k: k, v: v, out: out, sample: item / blocks / layer.heads,
          head: item / blocks % layer.heads, queries: block..<min(q.pixelCount, block + Self.queryBlock),
          headWidth: headWidth, keyBlock: Self.keyBlock
        ).run(scratch)
      }
    }
  }
}

/// One head's attention of a block of queries to all keys.
private struct AttentionBlock {
  let layer: Attention
  let q, k, v, out: Activation
  let sample: Int
  let head: Int
  let queries: Range<Int>
  let headWidth: Int
  let keyBlock: Int

  func run(_ scratch: UnsafeMutablePointer<Float>) {
    let count = queries.count
    let keyOffset = head / (layer.heads / layer.keyHeads) * headWidth
    let scores = scratch
    let panel = scores + count * keyBlock
    let sum = panel + max(headWidth, keyBlock) * PanelProduct.columns
    let maxima = sum + count * headWidth
    let sums = maxima + count
    let lengths = UnsafeMutableRawPointer(sums + (count + 1) / 2 * 2).assumingMemoryBound(to: Int.self)
    sum.update(repeating: 0, count: count * headWidth)
    maxima.update(repeating: -.infinity, count: count)
    sums.update(repeating: 0, count: count)
    // Query i of n sees keys up to i + m - n.
    let seen = k.pixelCount - q.pixelCount
    let lastKey = layer.isCausal ? min(k.pixelCount, queries.upperBound + seen) : k.pixelCount
    let query = q.row(sample * q.pixelCount + queries.lowerBound) + head * headWidth
    for first in stride(from: 0, to: lastKey, by: keyBlock) {
      let width = min(keyBlock, lastKey - first)
      let row = sample * k.pixelCount + first
      scores.update(repeating: 0, count: count * width)
      for n in stride(from: 0, to: width, by: PanelProduct.columns) {
        let columns = min(PanelProduct.columns, width - n)
        PanelProduct.packRows(
          k.row(row + n) + keyOffset, dtype: .f32, stride: k.channels, columns: columns, depth: headWidth, panel: panel)
        PanelProduct.multiplyAdd(
          a: query, aStride: q.channels, rows: count, panel: panel, depth: headWidth, c: scores + n, cStride: width,
          columns: columns)
      }
      for m in 0..<count {
        lengths[m] = layer.isCausal ? max(0, min(width, queries.lowerBound + m + seen + 1 - first)) : width
      }
      Norms.softmaxBlock(
        scores: scores, rows: count, lengths: lengths, width: width, scale: 1 / Float(headWidth).squareRoot(),
        maxima: maxima, sums: sums, output: sum, outputStride: headWidth, outputColumns: headWidth)
      for n in stride(from: 0, to: headWidth, by: PanelProduct.columns) {
        let columns = min(PanelProduct.columns, headWidth - n)
        PanelProduct.packColumns(
          v.row(row) + keyOffset + n, stride: v.channels, columns: columns, depth: width, panel: panel)
        PanelProduct.multiplyAdd(
          a: scores, aStride: width, rows: count, panel: panel, depth: width, c: sum + n, cStride: headWidth,
          columns: columns)
      }
    }
    for m in 0..<count {
      let target = out.row(sample * q.pixelCount + queries.lowerBound + m) + head * headWidth
      let factor = 1 / sums[m]
      for column in 0..<headWidth { target[column] = sum[m * headWidth + column] * factor }
    }
  }
}

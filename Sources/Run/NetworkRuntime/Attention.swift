import Kernels

/// Softmax attention over heads, in blocks: the scores of a block of queries and a block of keys are all that is ever
/// held. Source: Dao et al., "FlashAttention", the forward pass.
public struct Attention: Sendable {
  /// What 8 bits for queries, keys, values and powers cost beside the weights that made them.
  public enum Rounding: Sendable {
    /// Not to be done: the weights are exact, or nobody has looked.
    case visible
    /// As much as rounding activations costs beside weights of 8 bits.
    case alike
    /// Nothing that counts.
    case hidden

    /// - Parameter weights: those of queries, keys and values.
    public init(beside weights: [Weight]) {
      let encodings = weights.map(\.matrix.encoding)
      self =
        encodings.allSatisfy(\.hidesRoundedActivations)
        ? .hidden : encodings.allSatisfy(\.hasDots) ? .alike : .visible
    }
  }

  public let path: String
  public let heads: Int
  /// Heads of keys and values; a divisor of `heads`.
  public let keyHeads: Int
  /// Whether query i sees keys 0...i only, counted from the end where there are more keys.
  public let isCausal: Bool
  public let rounding: Rounding

  /// - Precondition: what is rounded is not causal.
  public init(
    path: String, heads: Int, keyHeads: Int? = nil, isCausal: Bool = false, rounding: Rounding = .visible
  ) {
    self.path = path
    self.heads = heads
    self.keyHeads = keyHeads ?? heads
    self.isCausal = isCausal
    self.rounding = rounding
    precondition(heads % self.keyHeads == 0 && (!isCausal || rounding == .visible))
  }
}

extension Execution {
  /// Queries of a block: many, since each packs the keys anew; fewer where half of a block's scores are never seen.
  private static func queryBlock(of layer: Attention) -> Int { layer.isCausal ? 192 : 384 }
  private static let keyBlock = 256

  /// - Parameters:
  ///   - q: `[batch, n, heads * d]`, k, v: `[batch, m, keyHeads * d]`.
  ///   - cuts: where pieces of the sequence start and the last ends; tokens see their own piece only. Nil: no cuts.
  ///   - out: `[batch, n, heads * d]`, overwritten; may be q.
  public func attend(
    _ layer: Attention, q: Activation, k: Activation, v: Activation, cuts: [Int]? = nil, into out: Activation
  ) throws {
    let headWidth = q.channels / layer.heads
    precondition(q.channels == layer.heads * headWidth && k.channels == layer.keyHeads * headWidth)
    precondition(headWidth <= 4096, "a block would not fit into a worker's memory")
    precondition(v.channels == k.channels && v.count == k.count && out.count == q.count && q.batch == k.batch)
    precondition(!layer.isCausal || (q.pixelCount <= k.pixelCount && cuts == nil))
    precondition(cuts.map { $0.last == q.pixelCount && q.count == k.count } ?? true)
    if roundsAttention(layer, queries: q.pixelCount), cuts == nil {
      return try attendDots(layer, q: q, k: k, v: v, into: out)
    }
    let pieces = zip(cuts ?? [0], (cuts ?? [0, 0]).dropFirst()).map { $0..<$1 }
    let pairCount =
      cuts == nil
      ? q.pixelCount * k.pixelCount - (layer.isCausal ? q.pixelCount * (q.pixelCount - 1) / 2 : 0)
      : pieces.reduce(0) { $0 + $1.count * $1.count }
    try perform(attentionOperation(layer, q, k, pairCount: pairCount), inputs: [q, k, v], output: out) {
      // Queries of a block, and the keys that they see.
      var blocks: [(queries: Range<Int>, keys: Range<Int>)] = []
      let step = Self.queryBlock(of: layer)
      for piece in cuts == nil ? [0..<q.pixelCount] : pieces {
        for first in stride(from: piece.lowerBound, to: piece.upperBound, by: step) {
          let queries = first..<min(piece.upperBound, first + step)
          // Query i of n sees keys up to i + m - n.
          let last = layer.isCausal ? queries.upperBound + k.pixelCount - q.pixelCount : k.pixelCount
          blocks.append((queries, cuts == nil ? 0..<last : piece))
        }
      }
      parallel(q.batch * layer.heads * blocks.count) { [blocks] item, scratch in
        let block = blocks[item % blocks.count]
        AttentionBlock(
          layer: layer, q: q, k: k, v: v, out: out, sample: item / blocks.count / layer.heads,
          head: item / blocks.count % layer.heads, queries: block.queries, keys: block.keys, headWidth: headWidth,
          keyBlock: Self.keyBlock
        ).run(scratch)
      }
    }
  }

  func attentionOperation(
    _ layer: Attention, _ q: Activation, _ k: Activation, pairCount: Int
  ) -> NetworkOperation {
    NetworkOperation(
      path: layer.path, kind: .attention, operationCount: 4 * q.batch * q.channels * pairCount,
      weightByteCount: 0, activationByteCount: 2 * q.byteCount + 2 * k.byteCount)
  }
}

extension Activation {
  /// Writes some channels of rows: sums weighted by powers, over the powers' sums.
  /// - Parameters:
  ///   - sums: `[rows, count]`.
  ///   - powers: `[rows]`.
  func writeMeans(
    _ sums: UnsafePointer<Float>, over powers: UnsafePointer<Float>, rows: Int, from first: Int, channel: Int,
    count: Int
  ) {
    for m in 0..<rows {
      let (target, source, factor) = (row(first + m) + channel, sums + m * count, 1 / powers[m])
      for column in 0..<count { target[column] = source[column] * factor }
    }
  }
}

/// One head's attention of a block of queries to a range of keys.
private struct AttentionBlock {
  let layer: Attention
  let q, k, v, out: Activation
  let sample: Int
  let head: Int
  let queries: Range<Int>
  let keys: Range<Int>
  let headWidth: Int
  let keyBlock: Int

  func run(_ memory: Scratch) {
    var scratch = memory
    let count = queries.count
    let keyOffset = head / (layer.heads / layer.keyHeads) * headWidth
    // Places of the block's keys that a query sees.
    let lengths = scratch.take(Int.self, count)
    let scores = scratch.take(Float.self, count * keyBlock)
    let sum = scratch.take(Float.self, count * headWidth)
    let maxima = scratch.take(Float.self, count)
    let sums = scratch.take(Float.self, count)
    sum.update(repeating: 0, count: count * headWidth)
    maxima.update(repeating: -.infinity, count: count)
    sums.update(repeating: 0, count: count)
    let seen = k.pixelCount - q.pixelCount
    let query = q.row(sample * q.pixelCount + queries.lowerBound) + head * headWidth
    for first in stride(from: keys.lowerBound, to: keys.upperBound, by: keyBlock) {
      let width = min(keyBlock, keys.upperBound - first)
      let row = sample * k.pixelCount + first
      score(query, keys: k.row(row) + keyOffset, width: width, into: scores, scratch)
      for m in 0..<count {
        lengths[m] = layer.isCausal ? max(0, min(width, queries.lowerBound + m + seen + 1 - first)) : width
      }
      Norms.softmaxBlock(
        scores: scores, rows: count, lengths: lengths, width: width, scale: 1 / Float(headWidth).squareRoot(),
        maxima: maxima, sums: sums, output: sum, outputStride: headWidth, outputColumns: headWidth)
      addValues(scores, values: v.row(row) + keyOffset, width: width, to: sum, scratch)
    }
    out.writeMeans(
      sum, over: sums, rows: count, from: sample * q.pixelCount + queries.lowerBound, channel: head * headWidth,
      count: headWidth)
  }

  /// The products of all queries with a block of keys: `[queries, width]`.
  private func score(
    _ query: UnsafePointer<Float>, keys: UnsafePointer<Float>, width: Int, into scores: UnsafeMutablePointer<Float>,
    _ scratch: Scratch
  ) {
    // One query does not pay for packing: every key is read once.
    guard queries.count > 1 else {
      scores.update(repeating: 0, count: width)
      return RowProduct.multiplyAdd(
        keys, dtype: .f32, stride: k.channels, rows: width, x: query, depth: headWidth, out: scores)
    }
    MatrixProduct(path: .panels).multiply(
      ProductRows(base: query, stride: q.channels, count: queries.count),
      HeadKeys(base: keys, stride: k.channels, width: headWidth), outputs: 0..<width, into: scores, sumsStride: width,
      scratch: scratch)
  }

  /// Adds the values of a block, weighted by all queries' scores: `[queries, headWidth]`.
  private func addValues(
    _ scores: UnsafePointer<Float>, values: UnsafePointer<Float>, width: Int, to sum: UnsafeMutablePointer<Float>,
    _ scratch: Scratch
  ) {
    guard queries.count > 1 else {
      for key in 0..<width {
        Elementwise.combine(sum, times: 1, with: values + key * v.channels, times: scores[key], count: headWidth)
      }
      return
    }
    MatrixProduct(path: .panels).multiply(
      ProductRows(base: scores, stride: width, count: queries.count),
      HeadValues(base: values, stride: v.channels, keyCount: width), outputs: 0..<headWidth, into: sum,
      sumsStride: headWidth, adding: true, scratch: scratch)
  }
}

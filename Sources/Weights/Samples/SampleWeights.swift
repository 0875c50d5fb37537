import Glibc
import Kernels
import ModelSources
import Tensors

/// The values of a synthetic tensor: bf16, depending only on seed, folder, name and shape.
struct SampleWeights: Sendable {
  let seed: UInt64
  private let fill = NormalFill()

  init(seed: UInt64) { self.seed = seed }

  private func key(_ tensor: ExpectedTensor, _ part: String) -> UInt64 {
    let text = "\(seed):\(tensor.folder):\(tensor.sourceName):\(tensor.shape ?? []):\(part)"
    return SHA256.of(Array(text.utf8)).bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// `count` deviates of N(0,1), rounded to bf16.
  private func normals(_ count: Int, key: UInt64) -> [Float] {
    var halves = [UInt16](repeating: 0, count: count)
    let ones = [Float](repeating: 1, count: count)
    fill.fill(&halves, count: count, key: key, firstIndex: 0, scale: 1, columnScale: ones)
    return halves.map { Float(bitPattern: UInt32($0) << 16) }
  }

  /// Streams the tensor's bytes, whole rows at a time.
  func stream(_ tensor: ExpectedTensor, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let shape = tensor.shape ?? []
    let count = shape.reduce(1, *)
    if shape.count < 2 || ["queries", "position"].contains(tensor.role) {
      let halves = vector(tensor, count: count).map { value in
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
      }
      return try halves.withUnsafeBytes { try body($0) }
    }
    let rows = shape[0]
    let columns = count / rows
    let columnScale = self.columnScale(tensor, inputs: shape[1], columns: columns)
    let rowScale = normals(rows, key: key(tensor, "rows")).map { expf(0.25 * $0) }
    let deviation = self.deviation(tensor, fanIn: columns)
    let batch = max(1, (1 << 18) / columns)
    let buffer = try AlignedBuffer(byteCount: batch * columns * 2)
    let halves = buffer.bytes.assumingMemoryBound(to: UInt16.self).baseAddress!
    let key = key(tensor, "values")
    for first in stride(from: 0, to: rows, by: batch) {
      let last = min(first + batch, rows)
      for row in first..<last {
        columnScale.withUnsafeBufferPointer {
          fill.fill(
            halves + (row - first) * columns, count: columns, key: key, firstIndex: row * columns,
            scale: deviation * rowScale[row], columnScale: $0.baseAddress!)
        }
      }
      try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<((last - first) * columns * 2)]))
    }
  }

  /// Biases, norms, gates and tables: spread as in trained models.
  private func vector(_ tensor: ExpectedTensor, count: Int) -> [Float] {
    let normals = normals(count, key: key(tensor, "values"))
    let name = tensor.sourceName
    switch tensor.role {
    case "norm" where name.hasSuffix("weight"): return normals.map { 1 + 0.15 * $0 }
    case "gate": return normals.map { 0.6 * $0 }
    case "queries": return normals
    case "position": return normals.map { 0.1 * $0 }
    case "modulation": return normals.map { 0.5 * $0 }
    case "bias" where name.hasSuffix("q_proj.bias"): return normals.map { 0.3 * $0 }
    // A few large key biases are typical of Qwen2.5.
    case "bias" where name.hasSuffix("k_proj.bias"):
      return normals.enumerated().map { ($0 % 61 == 7 ? 4 : 0.5) * $1 }
    default: return normals.map { 0.05 * $0 }
    }
  }

  /// Input channels differ, and a few are much larger than the rest.
  private func columnScale(_ tensor: ExpectedTensor, inputs: Int, columns: Int) -> [Float] {
    var scale = normals(inputs, key: key(tensor, "columns")).map { expf(0.2 * $0) }
    if inputs >= 32 && tensor.role != "embedding" {
      for (position, strength) in normals(max(1, inputs / 256), key: key(tensor, "outliers")).enumerated() {
        scale[(position * 197 + 13) % inputs] *= 4 + abs(strength)
      }
    }
    let rms = Float((scale.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(inputs)).squareRoot())
    let perInput = columns / inputs
    return (0..<columns).map { scale[$0 / perInput] / rms }
  }

  private func deviation(_ tensor: ExpectedTensor, fanIn: Int) -> Float {
    let unit = 1 / Float(fanIn).squareRoot()
    let residual = ["o_proj", "down_proj", "attn.proj", "fc2", "to_out.0", "ff.net.2", "conv2", "proj_out", "linear_2"]
    switch tensor.role {
    case "embedding": return 0.02
    case "head": return 2 * unit
    case "modulation": return 0.3 * unit
    default: return residual.contains { tensor.sourceName.hasSuffix($0 + ".weight") } ? 0.5 * unit : unit
    }
  }
}

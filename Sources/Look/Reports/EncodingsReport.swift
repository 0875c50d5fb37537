import Documents
import Encodings
import Kernels
import Tensors

/// Encodings side by side, each measured on normally distributed values.
public struct EncodingsReport {
  private struct Row {
    let encoding: any Encoding
    let bitsPerWeight: Double
    let planes: [String]
    let sqnrDecibels: Double
  }

  private static let shape = (rows: 64, columns: 4096)
  private let rows: [Row]

  /// - Parameter encodings: that values can be quantized to.
  /// - Throws: ``FileError`` where memory is missing.
  public init(_ encodings: [any Encoding]) throws {
    let values = try Self.normalValues()
    rows = try encodings.compactMap { encoding in
      guard let solver = encoding.solver,
        let info = TensorInfo(name: "x", dtype: .bf16, shape: [Self.shape.rows, Self.shape.columns]),
        let shape = encoding.shape(forWriting: info), let planes = encoding.planes(of: shape)
      else { return nil }
      return Row(
        encoding: encoding,
        bitsPerWeight: Double(8 * planes.reduce(0) { $0 + $1.byteCount }) / Double(info.elementCount),
        planes: planes.map { plane in plane.kind.map { "\($0)" } ?? "" },
        sqnrDecibels: try Self.measure(encoding, solver, shape, planes, values))
    }
  }

  /// `[64, 4096]` bf16.
  private static func normalValues() throws -> AlignedBuffer {
    let count = shape.rows * shape.columns
    let values = try AlignedBuffer(byteCount: 2 * count)
    NormalFill().fill(
      values.bytes.assumingMemoryBound(to: UInt16.self).baseAddress!, count: count, key: 1, firstIndex: 0, scale: 1,
      columnScale: [Float](repeating: 1, count: count))
    return values
  }

  private static func measure(
    _ encoding: any Encoding, _ solver: any Solver, _ shape: EncodedShape, _ planes: [PlaneShape],
    _ values: AlignedBuffer
  ) throws -> Double {
    let height = encoding.grain.rows
    let buffers = try planes.indices.map { plane in
      try AlignedBuffer(byteCount: encoding.byteCount(plane: plane, of: shape, columns: shape.columns))
    }
    var sums = ErrorSums()
    for row in stride(from: 0, to: shape.rows, by: height) {
      let stripe = values.bytes[(2 * row * shape.columns)...]
      solver.encode(
        UnsafeRawBufferPointer(rebasing: stripe), dtype: .bf16, rowStride: shape.columns,
        rows: min(height, shape.rows - row), columns: shape.columns, segmentColumns: shape.columns, guide: nil,
        into: buffers.map(\.bytes), sums: &sums)
    }
    return withExtendedLifetime((values, buffers)) { sums.sqnrDecibels }
  }

  public var document: Document {
    var document = Document(schema: "bantam.encodings.1")
    var table = Table(
      "encodings",
      [
        .init("name", "name"), .init("file_name", "in files", rank: 2), .init("bits_per_weight", "bits/w"),
        .init("code_bits", nil), .init("sqnr_db", "SQNR"), .init("planes", nil), .init("computes", "computes", rank: 3),
        .init("summary", "suits", rank: 1),
      ])
    for row in rows {
      let encoding = row.encoding
      table.add([
        .text(encoding.shortName), .text(encoding.name), .number(row.bitsPerWeight, places: 3),
        encoding.codeBits.map { .count($0) } ?? .absent, .decibels(row.sqnrDecibels), .list(row.planes),
        .list(encoding.hasDots ? ["f32", "bf16", "int8"] : ["f32", "bf16"]), .text(encoding.summary),
      ])
    }
    document.add(table)
    return document
  }
}

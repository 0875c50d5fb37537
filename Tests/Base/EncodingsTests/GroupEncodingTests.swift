import Encodings
import Foundation
import Kernels
import Tensors
import Testing
import TestSupport

extension EncodedValues {
  init(_ values: [Float], rows: Int, columns: Int, _ encoding: GroupEncoding) throws {
    try self.init(values, rows: rows, columns: columns, encoding as any Encoding)
  }

  private var bits: Int { (encoding as! GroupEncoding).bits }

  /// The values by the specification's formula and layouts alone.
  func decodedBySpecification() -> [Float] {
    let layout = (encoding as! GroupEncoding).codeLayout(of: shape)
    let codes = bytes(0)
    return (0..<shape.rows * shape.columns).map { index in
      let (row, column) = index.quotientAndRemainder(dividingBy: shape.columns)
      let (offset, shift) = layout.position(row: row, column: column, in: shape.matrix)
      let code = Int(codes[offset]) >> shift & ((1 << bits) - 1)
      return scale(row: row, column: column) * Float(code - 1 << (bits - 1))
    }
  }

  /// The scale of a column of the source: groups of 32 begin anew in each segment.
  func scale(row: Int, column: Int) -> Float {
    let taps = shape.segmentCount
    let group = column % taps * ((shape.segmentColumns + 31) / 32) + column / taps / 32
    let groups = MatrixShape(rows: shape.rows, columns: taps * ((shape.segmentColumns + 31) / 32))
    let place = GroupEncoding.scaleLayout.position(row: row, column: group, in: groups).byteOffset
    let scales = bytes(1)
    return Float(Float16(bitPattern: UInt16(scales[place]) | UInt16(scales[place + 1]) << 8))
  }
}

@Suite struct GroupEncodingTests {
  static let encodings = [GroupEncoding.int8, .int4]
  static let widths = Array(1...96) + [97, 127, 128, 129, 255, 256, 257, 300, 384, 511, 512, 1176, 3420, 4304]

  @Test(arguments: encodings) func everyWidthRoundTripsWithinHalfAStep(encoding: GroupEncoding) throws {
    var generator = SeededGenerator(20)
    for columns in Self.widths {
      let rows = columns > 600 ? 5 : 17
      let values = generator.normals(rows * columns)
      let coded = try EncodedValues(values, rows: rows, columns: columns, encoding)
      let decoded = coded.decoded()
      #expect(decoded == coded.decodedBySpecification(), "\(columns) columns")
      for row in 0..<rows {
        for column in 0..<columns {
          let scale = coded.scale(row: row, column: column)
          let (value, found) = (values[row * columns + column], decoded[row * columns + column])
          // Half a step, unless the value lies beyond the last code.
          let lowest = min(scale * Float(-(1 << (encoding.bits - 1))), scale * Float(1 << (encoding.bits - 1) - 1))
          let highest = max(scale * Float(-(1 << (encoding.bits - 1))), scale * Float((1 << (encoding.bits - 1)) - 1))
          let isInside = value >= lowest && value <= highest
          #expect(
            !isInside || abs(value - found) <= abs(scale) * 0.5001, "\(columns) columns, row \(row), column \(column)")
        }
      }
    }
  }

  @Test func allBitsCountedTheQualityIsThatOfTheGoals() throws {
    var generator = SeededGenerator(22)
    // The sum of twelve uniform deviates has lighter tails than N(0,1); this generator is Box and Muller's.
    let values = generator.boxMullerNormals(64 * 4096)
    let (int8, int4) = (
      try EncodedValues(values, rows: 64, columns: 4096, .int8),
      try EncodedValues(values, rows: 64, columns: 4096, .int4)
    )
    // ggml's Q8_0 has 45.4 dB at the same 8.5 bits, its Q4_0 with the better search 21.8 at 4.5.
    #expect(int8.sums.sqnrDecibels > 46.4)
    #expect(int4.sums.sqnrDecibels > 21.8)
    #expect(Double(8 * (int8.bytes(0).count + int8.bytes(1).count)) / Double(values.count) == 8.5)
    #expect(Double(8 * (int4.bytes(0).count + int4.bytes(1).count)) / Double(values.count) == 4.5)
  }

  @Test(arguments: encodings) func theRecordedErrorsAreThoseOfTheDecodedValues(encoding: GroupEncoding) throws {
    var generator = SeededGenerator(23)
    let values = generator.normals(33 * 70)
    let coded = try EncodedValues(values, rows: 33, columns: 70, encoding)
    var difference = ValueDifference()
    values.withUnsafeBufferPointer { a in coded.decoded().withUnsafeBufferPointer { difference.add(a, $0) } }
    #expect(abs(coded.sums.sqnrDecibels - difference.sqnrDecibels) < 1e-9)
    #expect(abs(coded.sums.cosine - difference.cosine) < 1e-12)
    #expect(Float(coded.sums.largestError) == Float(difference.largestError))
  }

  @Test(arguments: encodings) func strangeValuesFollowTheStatedRules(encoding: GroupEncoding) throws {
    // NaN is 0, infinity the largest finite magnitude of its group, zero rows stay zero.
    var values = [Float](repeating: 0, count: 3 * 32)
    values[0] = 2
    values[1] = -3
    values[2] = .nan
    values[3] = .infinity
    values[4] = -.infinity
    let decoded = try EncodedValues(values, rows: 3, columns: 32, encoding).decoded()
    #expect(decoded[2] == 0)
    #expect(abs(decoded[3] - 3) < 0.25 && abs(decoded[4] + 3) < 0.25)
    #expect(decoded[32...].allSatisfy { $0 == 0 })
    // Denormals: a group whose scale would vanish in f16 becomes zero, others keep what f16 can say.
    let tiny = [Float](repeating: 1e-30, count: 32)
    #expect(try EncodedValues(tiny, rows: 1, columns: 32, encoding).decoded().allSatisfy { $0 == 0 })
    let huge = [Float](repeating: 3e38, count: 32)
    #expect(try EncodedValues(huge, rows: 1, columns: 32, encoding).decoded().allSatisfy { $0.isFinite && $0 > 0 })
    let negativeZero = [Float](repeating: -0.0, count: 32)
    #expect(try EncodedValues(negativeZero, rows: 1, columns: 32, encoding).decoded().allSatisfy { $0 == 0 })
  }

  @Test(arguments: encodings, [1, 31, 32, 33, 100]) func panelsHoldWhatRowsDecodeTo(
    encoding: GroupEncoding, columns: Int
  ) throws {
    var generator = SeededGenerator(UInt64(columns))
    let coded = try EncodedValues(generator.normals(50 * columns), rows: 50, columns: columns, encoding)
    try expectPanels(of: coded, hold: coded.decodedBySpecification())
  }

  /// In tap-major order groups begin anew in every tap, and values come back in the source's order.
  @Test(arguments: encodings, [32, 40, 43, 64, 100]) func kernelsAreStoredTapAfterTap(
    encoding: GroupEncoding, channels: Int
  ) throws {
    var generator = SeededGenerator(UInt64(channels))
    let matrix = MatrixShape(rows: 19, columns: channels * 9, taps: 9)
    let values = generator.normals(19 * channels * 9)
    let coded = try EncodedValues(values, EncodedShape(matrix, dtype: .f32, order: .tapMajor), encoding)
    let decoded = coded.decoded()
    #expect(decoded == coded.decodedBySpecification())
    // Each tap by itself, as a matrix of its own, has the same values.
    for tap in 0..<9 {
      let own = (0..<19 * channels).map { values[$0 * 9 + tap] }
      let alone = try EncodedValues(own, rows: 19, columns: channels, encoding).decoded()
      #expect(alone == (0..<19 * channels).map { decoded[$0 * 9 + tap] }, "tap \(tap)")
    }
  }

  /// Kernels lie tap after tap where that costs little padding; everything else keeps its order.
  @Test(arguments: [
    ([20, 31, 3, 3], false), ([20, 32, 3, 3], true), ([20, 42, 3, 3], false), ([20, 43, 3, 3], true),
    ([20, 64, 1, 1], false), ([20, 64], false), ([20, 64, 3], false), ([20, 64, 2, 3, 3], false),
    ([4, 2560, 3, 3], true), ([4, 1024, 64, 1], false), ([4, 1024, 31, 1], true), ([4, 64, 5, 5], true),
    ([4, 7424, 3, 3], false),
  ])
  func theOrderFollowsTheShape(shape: [Int], isTapMajor: Bool) throws {
    let info = try #require(TensorInfo(name: "w", dtype: .bf16, shape: shape))
    let stored = try #require(GroupEncoding.int4.shape(forWriting: info))
    #expect((stored.order == .tapMajor) == isTapMajor)
  }

  /// Values near the smallest scale of f16 are held as well as it allows: a uniform error of a step of 2^-24, not zeros.
  @Test(arguments: [Float(1e-6), 3e-7, 1e-7, 5e-8]) func tinyValuesAreNotZeroed(size: Float) throws {
    var generator = SeededGenerator(38)
    let values = generator.normals(16 * 64).map { $0 * size }
    for (encoding, steps) in [(GroupEncoding.int8, Float(256)), (.int4, 16)] {
      // What steps of 2^-24 cost where they reach all values, and what as many steps as there are codes cost where they do not.
      let step = max(Float(0x1p-24), 8 * size / steps)
      for guide in [nil, ColumnGuide(importance: [Float](repeating: 1, count: 64))] {
        let decoded = try EncodedValues(values, rows: 16, columns: 64, encoding, guide: guide).decoded()
        let noise =
          zip(values, decoded).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(values.count)
        #expect(
          noise.squareRoot() <= Double(step) / 12.0.squareRoot() * 1.05, "\(encoding.name): \(noise.squareRoot())")
      }
    }
  }

  @Test(arguments: [DType.f32, .f16, .bf16]) func everySourceTypeGivesTheCodesOfItsValues(dtype: DType) throws {
    var generator = SeededGenerator(24)
    let exact = generator.normals(16 * 64)
    var narrow = [UInt8](repeating: 0, count: 16 * 64 * dtype.bitWidth / 8)
    var widened = exact
    narrow.withUnsafeMutableBytes { ElementCast.narrow(count: exact.count, from: exact, to: $0.baseAddress!, dtype) }
    narrow.withUnsafeBytes { ElementCast.widen(count: exact.count, from: $0.baseAddress!, dtype, to: &widened) }
    let expected = try EncodedValues(widened, rows: 16, columns: 64, .int4)
    let planes = try expected.planes.map { try AlignedBuffer(byteCount: $0.bytes.count) }
    var sums = ErrorSums()
    narrow.withUnsafeBytes { values in
      expected.encoding.solver!.encode(
        values, dtype: dtype, rowStride: 64, rows: 16, columns: 64, segmentColumns: 64, guide: nil,
        into: planes.map(\.bytes),
        sums: &sums)
    }
    for (plane, bytes) in planes.enumerated() { #expect([UInt8](bytes.bytes) == expected.bytes(plane)) }
    #expect(sums == expected.sums)
  }

  @Test func paddingIsZeroBits() throws {
    var generator = SeededGenerator(25)
    let coded = try EncodedValues(generator.normals(5 * 40), rows: 5, columns: 40, .int8)
    var inside: Set<Int> = []
    for row in 0..<5 {
      for column in 0..<40 {
        let layout = GroupEncoding.int8.codeLayout(of: coded.shape)
        inside.insert(layout.position(row: row, column: column, in: coded.shape.matrix).byteOffset)
      }
    }
    for (place, byte) in coded.bytes(0).enumerated() where !inside.contains(place) { #expect(byte == 0) }
  }
}

import CKernels
import Kernels
import Tensors
import Testing
import TestSupport

@Suite struct ChecksumTests {
  // RFC 3720, appendix B.4.
  @Test func crc32cKnownAnswers() {
    #expect(CRC32C.of(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.of([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.of((0..<32).map { UInt8($0) }) == 0x46DD_794E)
  }

  @Test func crc32cMayBeCutAnywhere() {
    var generator = SeededGenerator(4)
    let bytes = generator.bytes(50_000)
    for cut in [0, 1, 12_288, 30_001, 50_000] {
      var sum = CRC32C()
      bytes.withUnsafeBytes {
        sum.update(UnsafeRawBufferPointer(rebasing: $0[..<cut]))
        sum.update(UnsafeRawBufferPointer(rebasing: $0[cut...]))
      }
      #expect(sum.value == CRC32C.of(bytes))
    }
  }

  // FIPS 180-4 examples.
  @Test func sha256KnownAnswers() {
    #expect(SHA256.of([]).description == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256.of(Array("abc".utf8)).description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}

@Suite struct ElementCastTests {
  @Test func everyHalfWidensAsTheHardwareDoes() {
    let halves = (0...UInt16.max).map { $0 }
    var widened = [Float](repeating: 0, count: halves.count)
    ElementCast.widen(count: halves.count, from: halves, .f16, to: &widened)
    for (half, value) in zip(halves, widened) {
      let expected = Float(Float16(bitPattern: half))
      #expect(value.bitPattern == expected.bitPattern || value.isNaN && expected.isNaN)
    }
  }

  @Test func narrowingRoundsToNearestEven() {
    var generator = SeededGenerator(5)
    let values =
      (0..<200_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: generator.next())) }
      + [0, -0.0, .infinity, -.infinity, 65504, 65519.996, 65520, 5.9604645e-8, 2.9802322e-8, 2.9802326e-8, .nan]
    var f16 = [UInt16](repeating: 0, count: values.count)
    var bf16 = f16
    ElementCast.narrow(count: values.count, from: values, to: &f16, .f16)
    ElementCast.narrow(count: values.count, from: values, to: &bf16, .bf16)
    for (index, value) in values.enumerated() {
      if value.isNaN {
        #expect(Float16(bitPattern: f16[index]).isNaN)
        #expect(Float(bitPattern: UInt32(bf16[index]) << 16).isNaN)
        continue
      }
      #expect(f16[index] == Float16(value).bitPattern, "\(value)")
      // bf16 from first principles: the nearer of the two neighbours, the even one on a tie.
      let low = value.bitPattern >> 16
      let remainder = value.bitPattern & 0xFFFF
      let up = remainder > 0x8000 || (remainder == 0x8000 && low & 1 == 1)
      #expect(UInt32(bf16[index]) == low + (up ? 1 : 0))
    }
  }

  @Test func bf16SurvivesTheWayThroughF32() {
    let all = (0...UInt16.max).filter { Float(bitPattern: UInt32($0) << 16).isNaN == false }
    var wide = [Float](repeating: 0, count: all.count)
    var back = [UInt16](repeating: 0, count: all.count)
    ElementCast.widen(count: all.count, from: all, .bf16, to: &wide)
    ElementCast.narrow(count: all.count, from: wide, to: &back, .bf16)
    #expect(back == all)
  }
}

@Suite struct ValueStatisticsTests {
  /// Blocks of 4,096 elements, counted from the start.
  @Test func statisticsAreThoseOfTheTwinBlockByBlock() {
    var generator = SeededGenerator(6)
    for count in [0, 1, 15, 16, 17, 4095, 4096, 4097, 20_000] {
      let values = (0..<count).map { _ in UInt16(truncatingIfNeeded: generator.next()) }
      var statistics = ValueStatistics()
      values.withUnsafeBytes { statistics.add($0, dtype: .bf16) }
      var expected = ck_stats(
        minimum: .infinity, maximum: -.infinity, square_sum: 0, zero_count: 0, nonfinite_count: 0)
      for start in stride(from: 0, to: count, by: 4096) {
        expected = Twin.statistics(expected, values[start..<min(start + 4096, count)].map(Twin.widenBF16))
      }
      #expect(statistics.squareSum == expected.square_sum)
      #expect(statistics.minimum == expected.minimum)
      #expect(statistics.maximum == expected.maximum)
      #expect(statistics.zeroCount == Int(expected.zero_count))
      #expect(statistics.nonfiniteCount == Int(expected.nonfinite_count))
    }
  }

  @Test func specialValuesAreCountedAndKeptOutOfTheSums() {
    let values: [Float] = [1, -2, 0, -0.0, .nan, .infinity, -.infinity, 3]
    var statistics = ValueStatistics()
    values.withUnsafeBytes { statistics.add($0, dtype: .f32) }
    #expect(statistics.minimum == -2)
    #expect(statistics.maximum == 3)
    #expect(statistics.zeroCount == 2)
    #expect(statistics.nonfiniteCount == 3)
    #expect(statistics.squareSum == 14)
    #expect(statistics.rms == (14.0 / 5).squareRoot())
  }

  @Test(arguments: [DType.i8, .u8, .i16, .i32, .i64, .f64]) func integersAndDoublesAreCountedToo(dtype: DType) {
    var bytes = [UInt8](repeating: 0, count: dtype.bitWidth / 8 * 3)
    bytes[dtype == .f64 ? 7 : 0] = dtype == .f64 ? 0x40 : 2  // 2 as an integer, 2.0 as a double
    var statistics = ValueStatistics()
    bytes.withUnsafeBytes { statistics.add($0, dtype: dtype) }
    #expect(statistics.maximum == 2)
    #expect(statistics.zeroCount == 2)
    #expect(statistics.elementCount == 3)
  }
}

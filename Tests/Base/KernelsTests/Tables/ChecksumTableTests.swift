import Testing
import TestSupport

@Suite struct ChecksumTableTests {
  /// Lengths on both sides of three streams of 4,096 bytes, at any alignment, from any sum.
  @Test(arguments: KernelTable.all) func crc32cIsThatOfTheBits(table: KernelTable) {
    var generator = SeededGenerator(1)
    let bytes = generator.bytes(60_000)
    for count in Array(0..<70) + [4095, 4096, 12_287, 12_288, 12_289, 24_576, 59_000] {
      for start in [0, 1, 7] {
        let part = Array(bytes[start..<start + count])
        let sum = UInt32(truncatingIfNeeded: generator.next())
        let found = bytes.withUnsafeBufferPointer { table.functions.crc32c(sum, $0.baseAddress! + start, count) }
        #expect(found == Twin.crc32c(sum, part), "\(count) bytes from \(start)")
      }
    }
  }

  @Test(arguments: KernelTable.all) func memoryIsReadToTheLastByte(table: KernelTable) {
    var generator = SeededGenerator(2)
    for (runs, streams) in [(0, 1), (1, 1), (2, 1), (33, 1), (34, 2), (132, 4), (24, 8)] {
      let words = (0..<runs * 32).map { _ in generator.next() }
      for ahead in [0, 4096] {
        #expect(table.functions.read_memory(words, runs * 256, streams, ahead) == Twin.exclusiveOr(words))
      }
    }
  }
}

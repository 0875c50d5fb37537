import Documents
import Testing

@Suite struct QuantityTests {
  @Test(arguments: [
    (0, "0 bytes"), (999, "999 bytes"), (1000, "1.00 kB"), (1_349_000, "1.35 MB"), (24_500_000_000, "24.5 GB"),
    (999_600, "1.00 MB"), (123_456_789, "123 MB"),
  ])
  func bytesAreReadable(count: Int, text: String) { #expect(Quantity.bytes(count) == text) }

  @Test(arguments: [("512", 512), ("64M", 64 << 20), ("1GiB", 1 << 30), ("1.5k", 1536), ("2g", 2 << 30)])
  func sizesAreParsed(text: String, count: Int) { #expect(Quantity.parseBytes(text) == count) }

  @Test(arguments: ["", "x", "-1", "1T", "1e99G", "M"]) func otherTextsAreNoSizes(text: String) {
    #expect(Quantity.parseBytes(text) == nil)
  }

  @Test func fixedPointRoundsAndKeepsZeros() {
    #expect(Quantity.fixed(1.005, 1) == "1.0")
    #expect(Quantity.fixed(-0.04, 1) == "0.0")
    #expect(Quantity.fixed(12.34567, 3) == "12.346")
    #expect(Quantity.fixed(.infinity, 2) == "inf")
  }

  @Test(arguments: [(3.21, "3.2 s"), (26.4, "26 s"), (185, "3 min 5 s"), (7300, "2 h 1 min")])
  func durationsAreReadable(seconds: Double, text: String) { #expect(Quantity.duration(seconds) == text) }
}

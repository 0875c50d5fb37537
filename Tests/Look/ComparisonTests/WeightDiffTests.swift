import Comparison
import Kernels
import ModelSources
import Tensors
import Testing
import TestSupport

@Suite struct ValueDifferenceTests {
  private func difference(_ a: [Float], _ b: [Float]) -> ValueDifference {
    var difference = ValueDifference()
    a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { difference.add(a, $0) } }
    return difference
  }

  // Values by hand: a = (3, 4), b = (3, 3): error 1, signal 25.
  @Test func knownAnswers() {
    let found = difference([3, 4], [3, 3])
    #expect(abs(found.sqnrDecibels - 13.979400086720377) < 1e-12)
    #expect(abs(found.relativeFrobenius - 0.2) < 1e-15)
    #expect(abs(found.cosine - 21 / (5 * 18.0.squareRoot())) < 1e-15)
    #expect(found.largestError == 1)
    #expect(found.largestErrorIndex == 1)
    #expect(found.changedCount == 1)
  }

  @Test func equalRunsHaveNoNoise() {
    let found = difference([1, -2, 0, .nan, .infinity], [1, -2, 0, .nan, .infinity])
    #expect(found.sqnrDecibels == .infinity && found.relativeFrobenius == 0 && found.changedCount == 0)
    #expect(found.nonfiniteMismatchCount == 0)
  }

  @Test func nonFiniteValuesThatDifferAreCounted() {
    let found = difference([.nan, 1, .infinity], [0, .nan, -.infinity])
    #expect(found.nonfiniteMismatchCount == 3)
    #expect(found.largestError == 0)
  }

  @Test func theFirstLargestErrorIsFoundAcrossRuns() {
    var difference = ValueDifference()
    for run in 0..<4 {
      let a = (0..<100).map { Float($0 == 37 && run == 2 ? 5 : 0) }
      a.withUnsafeBufferPointer { a in
        [Float](repeating: 0, count: 100).withUnsafeBufferPointer { difference.add(a, $0) }
      }
    }
    #expect(difference.largestErrorIndex == 237)
  }

  @Test func sumsAreThoseOfDoublePrecision() {
    var generator = SeededGenerator(40)
    let (a, b) = (generator.normals(10_001), generator.normals(10_001))
    let found = difference(a, b)
    let signal = a.reduce(0.0) { $0 + Double($1) * Double($1) }
    let noise = zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    #expect(abs(found.relativeFrobenius / (noise / signal).squareRoot() - 1) < 1e-13)
  }
}

@Suite struct WeightDiffTests {
  private func source(
    _ folder: TemporaryFolder, _ name: String, _ tensors: [(name: String, dtype: String, shape: [Int], data: [UInt8])]
  ) throws -> ModelSource {
    try ModelSource(path: folder.write(SafetensorsFile.bytes(tensors), to: name))
  }

  private func floats(_ values: Float...) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

  @Test func everyStatusIsTold() throws {
    let folder = TemporaryFolder()
    let a = try source(
      folder, "a.safetensors",
      [
        ("same", "F32", [2], floats(1, 2)), ("changed", "F32", [2], floats(1, 2)), ("gone", "U8", [1], [1]),
        ("shape", "F32", [2], floats(1, 2)), ("ints", "I32", [1], [1, 0, 0, 0]), ("bits", "I32", [1], [1, 0, 0, 0]),
        ("cast", "BF16", [1], [0x80, 0x3F]),
      ])
    let b = try source(
      folder, "b.safetensors",
      [
        ("same", "F32", [2], floats(1, 2)), ("changed", "F32", [2], floats(1, 2.5)), ("new", "U8", [1], [1]),
        ("shape", "F32", [1, 2], floats(1, 2)), ("ints", "I32", [1], [1, 0, 0, 0]), ("bits", "I32", [1], [2, 0, 0, 0]),
        ("cast", "F32", [1], floats(1)),
      ])
    let rows = try WeightDiff(a, b, resources: Resources()).rows
    let status = Dictionary(uniqueKeysWithValues: rows.map { ($0.name.text, $0.status) })
    #expect(
      status == [
        "same": .equal, "changed": .changed, "gone": .missing, "new": .extra, "shape": .different, "ints": .equal,
        "bits": .different, "cast": .equal,
      ])
    let changed = try #require(rows.first { $0.name == "changed" }?.values)
    #expect(changed.largestError == 0.5 && changed.largestErrorIndex == 1)
  }

  @Test func theResultDoesNotDependOnThreads() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(41)
    let tensors = (0..<20).map { (name: "t\($0)", dtype: "BF16", shape: [3, 1000], data: generator.bytes(6000)) }
    let others = tensors.map { (name: $0.name, dtype: $0.dtype, shape: $0.shape, data: generator.bytes(6000)) }
    let (a, b) = (try source(folder, "a.safetensors", tensors), try source(folder, "b.safetensors", others))
    let runs = try [1, 7].map { try WeightDiff(a, b, resources: Resources(threadCount: $0)).rows }
    for (x, y) in zip(runs[0], runs[1]) { #expect(x.name == y.name && x.values!.cosine == y.values!.cosine) }
  }
}

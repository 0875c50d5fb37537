@testable import Comparison
import Foundation
import ModelSources
import Observation
import Tensors
import Testing
import TestSupport

@Suite struct WeightSuspectTests {
  private static let columns = 512

  /// Matrices of 64 x 512 normal values and norms; the second side's matrices with noise at 20 dB.
  private struct Pair {
    var a: [String: [Float]] = [:]
    var b: [String: [Float]] = [:]

    init() {
      var generator = SeededGenerator(5)
      for layer in 0..<12 {
        let values = generator.normals(64 * columns)
        a["m.\(layer).up"] = values
        b["m.\(layer).up"] = zip(values, generator.normals(64 * columns)).map { $0 + 0.1 * $1 }
        a["m.\(layer).norm"] = generator.normals(64)
        b["m.\(layer).norm"] = a["m.\(layer).norm"]
      }
    }

    func suspects() throws -> [Suspect] {
      let folder = TemporaryFolder()
      let sources = try [("a", a), ("b", b)].map { name, tensors in
        let list = tensors.sorted { $0.key < $1.key }.map { name, values in
          // Norms are of another type, as they are stored otherwise in real files.
          name.hasSuffix("norm")
            ? (
              name: name, dtype: "F64", shape: [values.count], data: values.map(Double.init).withUnsafeBytes(Array.init)
            )
            : (name: name, dtype: "F32", shape: [64, columns], data: values.withUnsafeBytes(Array.init))
        }
        return try ModelSource(path: folder.write(SafetensorsFile.bytes(list), to: name + ".safetensors"))
      }
      return try WeightDiff(sources[0], sources[1], resources: Resources()).suspects
    }
  }

  private func difference(_ a: [Float], _ b: [Float]) -> WorstBlock {
    var worst = WorstBlock()
    a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { worst.add(a, $0) } }
    return worst
  }

  // A block of 32 values 2 among 32 of 4, whose mean energy is 10: 4 off by 1 are 4 / (32 * 4 + 32 * 10).
  @Test func theWorstBlockHasAKnownAnswer() {
    let a = [Float](repeating: 4, count: 32) + [Float](repeating: 2, count: 32)
    var b = a
    b[0] += 1
    for place in 40..<44 { b[place] += 1 }
    let found = difference(a, b)
    #expect(found.index == 32 && abs(found.sqnrDecibels - 10 * log10(448 / 4)) < 1e-5)
    #expect(difference(a, a).sqnrDecibels == .infinity)
  }

  @Test func soundWeightsAreSilent() throws { #expect(try Pair().suspects() == []) }

  /// A block of 16 x 32 of the wrong sign: as a whole 20 dB become 12, in its worst block less than 0.
  @Test func aDamagedBlockIsNamed() throws {
    var pair = Pair()
    for row in 8..<24 {
      for column in 64..<96 { pair.b["m.7.up"]![row * Self.columns + column] *= -1 }
    }
    let found = try pair.suspects()
    #expect(found.map(\.name) == ["m.7.up"])
    guard case .peak(let worst, let neighbours)? = found.first?.reasons.first, found[0].reasons.count == 1 else {
      Issue.record("\(found)")
      return
    }
    #expect(worst < 0 && neighbours > 15)
  }

  @Test func theOnlyNormThatDiffersIsNamed() throws {
    var pair = Pair()
    pair.b["m.3.norm"]![5] *= 1.001
    #expect(try pair.suspects() == [Suspect(name: "m.3.norm", reasons: [.differsAlone])])
  }

  @Test func notFiniteComesFirst() throws {
    var pair = Pair()
    pair.b["m.3.norm"]![5] = 0
    pair.b["m.9.up"]![5] = .nan
    let found = try pair.suspects()
    #expect(found.map(\.name) == ["m.9.up", "m.3.norm"] && found[0].reasons == [.notFinite])
  }
}

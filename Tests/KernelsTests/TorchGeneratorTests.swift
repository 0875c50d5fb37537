import Foundation
import JSON
import Kernels
import Testing

/// `Fixtures/randn.json`: values of `torch.randn(count, generator=g)`, one `g = torch.Generator().manual_seed(seed)` a seed,
/// counts drawn one after another; PyTorch 2.13.
@Suite struct TorchGeneratorTests {
  @Test func normalsAreThoseOfTorch() throws {
    let url = try #require(Bundle.module.url(forResource: "randn", withExtension: "json", subdirectory: "Fixtures"))
    let draws = try #require(try ConfigJSON.parse([UInt8](Data(contentsOf: url))).array)
    var generator = TorchGenerator(seed: 0)
    var seed = -1
    for draw in draws {
      let wanted = try #require(draw["seed"]?.int)
      if wanted != seed {
        generator = TorchGenerator(seed: UInt64(wanted))
        seed = wanted
      }
      let values = generator.normals(try #require(draw["count"]?.int))
      let (indices, expected) = (try #require(draw["index"]?.array), try #require(draw["value"]?.array))
      for (index, value) in zip(indices, expected) {
        let number: Double
        switch value {
        case .double(let double): number = double
        case .int(let int): number = Double(int)
        default:
          Issue.record("not a number")
          return
        }
        #expect(abs(Double(values[index.int!]) - number) <= 1e-6, "seed \(seed), \(values.count), \(index)")
      }
    }
  }

  @Test func equalSeedsGiveEqualNumbers() {
    var (a, b) = (TorchGenerator(seed: 9), TorchGenerator(seed: 9))
    #expect(a.normals(100) == b.normals(100))
    #expect(a.normals(100) != TorchGenerator(seed: 10).firstNormals(100))
  }
}

extension TorchGenerator {
  fileprivate func firstNormals(_ count: Int) -> [Float] {
    var copy = self
    return copy.normals(count)
  }
}

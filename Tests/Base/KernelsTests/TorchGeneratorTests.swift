import Foundation
import JSONText
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

  /// `torch.manual_seed(seed); torch.randn(20)[:4]`, PyTorch 2.13: seeds that are beyond Int64, or below 0.
  @Test(arguments: [
    (UInt64.max, [-2.664297580718994, -1.0910485982894897, 0.45144742727279663, 0.22836069762706757]),
    (UInt64(bitPattern: -1), [-2.664297580718994, -1.0910485982894897, 0.45144742727279663, 0.22836069762706757]),
    (UInt64(bitPattern: .min), [-1.1258398294448853, -1.152360200881958, -0.2505785822868347, -0.4338788092136383]),
    (UInt64(bitPattern: -5), [-2.280052423477173, 1.299684762954712, -2.4232115745544434, -0.8620450496673584]),
  ]) func seedsOfAnySizeAreThoseOfTorch(seed: UInt64, expected: [Double]) {
    var generator = TorchGenerator(seed: seed)
    for (found, wanted) in zip(generator.normals(20), expected) { #expect(abs(Double(found) - wanted) <= 1e-6) }
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

import BantamArchive
import Encodings
import Foundation
import JSONText
import Kernels
import Quantization
import Tensors
import Testing
import TestSupport

import Conversion
@testable import ModelSources

/// The bytes of native files are pinned (`Fixtures/golden`): a change that was not meant shows here.
@Suite struct GoldenFileTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/golden").path
  private static let golden = try! ConfigJSON.parse(
    [UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "/golden.json"))))

  @Test(arguments: ["plain", "int8", "int4", "even8", "book6", "book5", "book4-g16", "book4", "book3"], [1, 3])
  func bytesAreThoseThatWerePinned(encoding: String, threads: Int)
    throws
  {
    let expected = try #require(Self.golden[encoding])
    let folder = TemporaryFolder()
    let recipe = KnownEncodings.quantizing.first { $0.shortName == encoding }
      .map { QuantizationRecipe(defaultEncoding: $0) }
    let plan = try ConversionPlan(
      source: ModelSource(path: Self.folder + "/source.safetensors"),
      options: ConversionOptions(recipe: recipe, resources: Resources(threadCount: threads)))
    try Converter.run(plan, to: folder["m"])
    #expect(SHA256.of(folder.bytes(of: "m")).description == expected["sha256"]?.string)
    // Decoded by us as the reader in plain Python decodes it.
    let source = try ModelSource(path: folder["m"])
    #expect(source.tensors.count == expected["tensors"]?.object?.count)
    for (number, tensor) in source.tensors.enumerated() {
      let hash = SHA256()
      try source.stream(number, through: AlignedBuffer(byteCount: 1 << 18)) { hash.update($0) }
      #expect(hash.finish().description == expected["tensors"]?[tensor.info.name.text]?.string, "\(tensor.info.name)")
    }
  }
}

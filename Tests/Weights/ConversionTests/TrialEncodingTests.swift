import Encodings
import ModelSources
import Synchronization
import Tensors
import Testing
import TestSupport

@testable import Conversion

@Suite struct TrialEncodingTests {
  /// Small tensors are tried whole, of large ones rows from everywhere: their sizes grow from the first to the last here.
  @Test func someRowsTellTheErrorOfALargeTensor() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(4)
    let tensors = [("large", 4800), ("small", 48)].map { name, rows in
      let values = generator.normals(rows * 64).enumerated().map { $1 * (1 + 4 * Float($0) / Float(rows * 64)) }
      return (name, "F32", [rows, 64], values.withUnsafeBytes { Array($0) })
    }
    folder.write(SafetensorsFile.bytes(tensors), to: "m.safetensors")
    let source = try ModelSource(path: folder["m.safetensors"])
    let found = try ModelMap(source).components.flatMap(\.tensors)
    #expect(found.count == 2)
    let encodings: [any Encoding] = [BookEncoding.book4, BookEncoding.book3]
    let counts = Mutex<[Int]>([])
    let resources = Resources(threadCount: 1)
    let errors = try TrialEncoding.relativeErrors(source, found, encodings, nil, resources) { done, count, _ in
      #expect(count == 2)
      counts.withLock { $0.append(done) }
    }
    #expect(counts.withLock { $0 } == [0, 1])
    for tensor in found {
      for encoding in encodings {
        let whole = try #require(try TrialEncoding(source, tensor, encoding, nil, resources)).relativeError
        let error = try #require(errors[tensor.name.text]?[encoding.shortName])
        #expect(whole > 1e-4)
        if tensor.name.text == "small" {
          #expect(error == whole)
        } else {
          #expect(error != whole && abs(error - whole) < 0.03 * whole, "\(error), \(whole)")
        }
      }
    }
  }
}

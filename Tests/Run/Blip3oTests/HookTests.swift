import Foundation
import ModelSources
import NetworkRuntime
import Tensors
import Testing

@testable import Blip3o

/// What observers see of a layer is what forward hooks on its module see in PyTorch (Fixtures/hooks.py): its own output, without the
/// residual or gate behind it, and its input.
@Suite struct HookTests {
  private final class Hooks: Observer {
    var seen: [String: [Double]] = [:]
    private let paths: Set<String>

    init(_ paths: Set<String>) { self.paths = paths }

    func wants(_ path: String) -> ObservedValues { paths.contains(path) ? [.inputs, .output] : [] }

    func willRun(_ operation: NetworkOperation, inputs: [Activation]?) {
      if let input = inputs?.first { seen["input/" + operation.path] = input.values.map(Double.init) }
    }

    func didRun(_ operation: NetworkOperation, output: Activation?) {
      if let output { seen["prompt/" + operation.path] = output.values.map(Double.init) }
    }
  }

  @Test func layersAreWhatHooksSee() throws {
    let goldens = try Goldens("tiny")
    let file = Bundle.module.resourceURL!.appendingPathComponent("Fixtures/tiny/hooks.safetensors").path
    let source = try ModelSource(path: file)
    let names = source.tensors.map(\.info.name.text)
    let hooks = Hooks(Set(names.map { String($0.split(separator: "/")[1]) }))
    try TextToImage(Model(path: goldens.checkpoint), observers: [hooks]).readAlone("A photo of a cute cat")
    #expect(names.count >= 12 && Set(hooks.seen.keys) == Set(names))
    for (number, name) in names.enumerated() {
      let info = source.tensors[number].info
      let bytes = try AlignedBuffer(byteCount: info.byteCount)
      try source.read(number, at: 0, into: bytes.bytes)
      let expected = TensorValues.doubles(UnsafeRawBufferPointer(bytes.bytes), info.dtype)
      let error = relativeError(try #require(hooks.seen[name]), expected)
      #expect(error <= 1e-5, "\(name): \(error)")
    }
  }
}

import Checkpoints
import Foundation
import Tensors
import Testing
import TestSupport

/// What is no weight by itself is never taken for one (`Fixtures/parts`, made by make_fixtures.py).
@Suite struct PartsTests {
  private static func part(_ name: String, in checkpoint: Checkpoint) -> String? {
    checkpoint.entries.first { $0.info.name == TensorName(name) }?.part
  }

  @Test func partsAreToldByProgram() throws {
    let checkpoint = try Checkpoint(path: FixtureTests.fixtures + "/parts")
    let expected: [String: String?] = [
      "gptq.qweight": "GPTQ", "gptq.qzeros": "GPTQ", "gptq.scales": "GPTQ", "gptq.g_idx": "GPTQ", "gptq.bias": nil,
      "awq.qweight": "AWQ or GPTQ", "awq.qzeros": "AWQ or GPTQ", "awq.scales": "AWQ or GPTQ",
      "int8.weight": "bitsandbytes, not decoded", "int8.SCB": "bitsandbytes, not decoded",
      "int8.weight_format": "bitsandbytes, not decoded", "fp4.weight_packed": "compressed-tensors, not decoded",
      "fp4.weight_scale": "compressed-tensors, not decoded",
      "fp4.weight_global_scale": "compressed-tensors, not decoded",
      "moments.exp_avg": "the state of an optimizer", "moments.exp_avg_sq": "the state of an optimizer",
      "attention.k_scale": "scales of quantized values", "plain.weight": nil,
      // A weight that is only called so.
      "layer.scales": nil,
    ]
    #expect(checkpoint.entries.count == expected.count)
    for (name, program) in expected { #expect(Self.part(name, in: checkpoint) == program, "\(name)") }
    for word in ["GPTQ", "AWQ or GPTQ", "weight_format 2", "is not a matrix of I32", "the state of an optimizer"] {
      #expect(checkpoint.notes.contains { $0.contains(word) }, "\(word)")
    }
  }

  /// Relatives of the fixtures: other programs, the same rule.
  @Test(arguments: [
    (["x.q_weight", "x.q_scale", "x.q_invperm", "x.bias"], "ExLlamaV2", ["x.bias"]),
    (["x.W_q", "x.scale", "x.zero", "norm.scale"], "HQQ", ["norm.scale"]),
    (["x.codes", "x.codebooks", "x.scales", "y.codes"], "AQLM", ["y.codes"]),
    (["x.Qidxs", "x.SU", "x.SV"], "QuIP#", []),
    (["x.weight._data", "x.weight._scale", "y._data"], "Quanto", ["y._data"]),
    (["x.down_proj_blocks", "x.down_proj_scales", "x.down_proj_bias"], "MXFP4", ["x.down_proj_bias"]),
    (["x.weight", "x.weight_scale", "x.weight_scale_2", "x.input_scale"], "ModelOpt", []),
    (["x.qweight", "x.weight_scales"], "EETQ", []),
  ]) func otherProgramsPartsAreTold(names: [String], program: String, weights: [String]) throws {
    let folder = TemporaryFolder()
    folder.write(SafetensorsFile.bytes(names.map { ($0, "U8", [1, 4], [1, 2, 3, 4]) }), to: "model.safetensors")
    let checkpoint = try Checkpoint(path: folder.path)
    for entry in checkpoint.entries {
      let isWeight = weights.contains(entry.info.name.text)
      #expect((entry.part == nil) == isWeight, "\(entry.info.name): \(entry.part ?? "a weight")")
    }
    #expect(checkpoint.entries.contains { $0.part?.hasPrefix(program) == true })
  }

  @Test func oneDamagedTensorClosesOnlyItself() throws {
    let folder = TemporaryFolder()
    func entry(_ stem: String, scales: Int) -> [(name: String, dtype: String, shape: [Int], data: [UInt8])] {
      [
        (stem + ".weight", "F8_E4M3", [4, 8], [UInt8](repeating: 0x38, count: 32)),
        (stem + ".weight_scale", "F32", [scales, 1], [UInt8](repeating: 0, count: 4 * scales)),
      ]
    }
    folder.write(SafetensorsFile.bytes(entry("good", scales: 4) + entry("bad", scales: 3)), to: "model.safetensors")
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.entries.first { $0.info.name == "good.weight" }?.info.dtype == .f32)
    #expect(Self.part("bad.weight", in: checkpoint) != nil && Self.part("bad.weight_scale", in: checkpoint) != nil)
    #expect(checkpoint.notes.contains { $0.contains("'bad.weight_scale' cannot be decoded") })
  }

  @Test func aPickleThatWritesIntoATensorIsRefused() throws {
    typealias Py = TorchHostileTests.Py
    let written = Py.tensor() + Py.int(0) + Py.int(1) + [0x73]
    let parameter = Py.call(Py.global("torch._utils", "_rebuild_parameter"), [written, Py.no, Py.dict([])])
    for value in [written, parameter] {
      let folder = TemporaryFolder()
      let path = folder.write(TorchHostileTests.one(value), to: "m.pt")
      #expect {
        _ = try Checkpoint(path: path)
      } throws: {
        ($0 as? any ReportingError)?.report.message.contains("has items set by the pickle") == true
      }
    }
  }
}

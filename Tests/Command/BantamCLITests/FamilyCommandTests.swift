import Foundation
import JSONText
import Testing
import TestSupport

/// What the commands do with models of known families that cannot be run.
@Suite struct FamilyCommandTests {
  /// A folder of a release's names and sizes, without data.
  private func sparse(_ name: String, config: String) throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    folder.write(config, to: "m/config.json")
    try SafetensorsFile.writeSparse(ReleaseManifest(name).tensors, to: folder["m/model.safetensors"])
    return folder
  }

  private static let picture = Repository.path("Tests/Formats/PicturesTests/Fixtures/gray.png")

  @Test(arguments: [
    ("blip3o-next", "BLIP3o-NEXT", #"{"model_type": "blip3o_qwen", "diffusion_name_or_path": "x"}"#),
    ("siglip2-sana", "SigLIP2_SANA", #"{"model_type": "blip3o_qwen", "unet_id": "x"}"#),
  ]) func modelsThatCannotBeRunAreRefusedInOneSentence(name: String, title: String, config: String) throws {
    let folder = try sparse(name, config: config)
    let model = folder["m"]
    for arguments in [
      ["generate", model, "a", "-o", folder["x.png"]], ["describe", model, Self.picture, "What?"],
      ["chat", model, "Hi"], ["trace", model, "--prompt", "a", "-o", folder["t"]], ["profile", model, "--prompt", "a"],
      ["bench", model], ["encode", model, Self.picture, "-o", folder["f"]],
      ["diff", model, model, "--prompt", "a"],
    ] {
      let refused = try Command(arguments)
      #expect(refused.status == 65, "\(arguments[0])")
      #expect(
        refused.errors.contains(
          "this is a \(title) model: Bantam inspects, converts, quantizes, compares and exports it, and cannot run it yet"
        ),
        "\(arguments[0]): \(refused.errors)")
    }
    #expect(folder.names == ["m"])
  }

  @Test func theyAreInspectedAndPlanned() throws {
    let folder = try sparse("blip3o-next", config: #"{"diffusion_name_or_path": "x"}"#)
    let shown = try Command(["inspect", folder["m"]])
    #expect(shown.status == 0 && shown.output.contains("family      blip3o-next\n"))
    #expect(shown.output.contains("sana.transformer_blocks.{0-19}.ff.conv_inverted.weight"))
    let planned = try Command(
      ["quantize", folder["m"], "-o", folder["q"], "--encoding", "int4", "--dry-run", "--json"])
    let plan = try ConfigJSON.parse(Array(planned.output.utf8))
    #expect(planned.status == 0 && plan["family"] == "blip3o-next")
    // 16 bits a weight in the source; 4.5 or 8.5 in the plan for nearly all.
    #expect(try #require(plan["output_bytes"]?.int) < 8_744_428_562 * 4 / 10)
    #expect(folder.names == ["m"])
  }
}

import Checkpoints
import Foundation
import Tensors
import Testing
import TestSupport

/// What people's folders hold beside the weights that are meant: read, named, or refused with a remedy that works.
@Suite struct FolderWalkTests {
  private static let a = SafetensorsFile.bytes([("a", "U8", [2], [1, 2])])
  private static let b = SafetensorsFile.bytes([("b", "U8", [2], [3, 4])])

  private func folder(_ files: KeyValuePairs<String, [UInt8]>) -> TemporaryFolder {
    let folder = TemporaryFolder()
    for (name, bytes) in files { folder.write(bytes, to: name) }
    return folder
  }

  private func names(_ folder: TemporaryFolder) throws -> [String] {
    try Checkpoint(path: folder.path).entries.map(\.info.name.text).sorted()
  }

  private func refusal(_ folder: TemporaryFolder) -> String {
    do {
      _ = try Checkpoint(path: folder.path)
      return "was read"
    } catch {
      let report = error.report
      return [report.message, report.hint ?? ""].joined(separator: " | ")
    }
  }

  private static func index(_ map: KeyValuePairs<String, String>) -> [UInt8] {
    let pairs = map.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
    return Array("{\"metadata\":{},\"weight_map\":{\(pairs)}}".utf8)
  }

  @Test func namesThatBeginWithADotArePassedOver() throws {
    let folder = folder([
      "model.safetensors": Self.a, "._model.safetensors": Array("\0\u{5}\u{16}\u{7}Mac OS X".utf8),
      ".DS_Store": [1, 2], "._model.safetensors.index.json": [0, 5], ".hidden/model.safetensors": Self.b,
      ".gguf": [1],
    ])
    #expect(try names(folder) == ["a"])
  }

  @Test func checkpointsOfTheRunAreNotMixedIn() throws {
    let run = folder(["model.safetensors": Self.a, "checkpoint-500/model.safetensors": Self.b])
    #expect(try names(run) == ["a"])
    #expect(try Checkpoint(path: run.path).notes.contains { $0.contains("'checkpoint-500'") })
    for stem in ["checkpoint-", "checkpoint_", "ckpt-"] {
      let several = folder(["\(stem)100/model.safetensors": Self.a, "\(stem)200/model.safetensors": Self.b])
      #expect(refusal(several).contains("\(stem)100"), "\(stem)")
    }
    let only = folder(["checkpoint-100/model.safetensors": Self.a])
    #expect(try names(only) == ["a"])
  }

  @Test func anIndexOfAnEarlierFormIsNamed() {
    let stale = folder([
      "model.safetensors": Self.a,
      "model.safetensors.index.json": Self.index([
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
      ]),
    ])
    let text = refusal(stale)
    #expect(text.contains("model.safetensors.index.json") && text.contains("'model.safetensors'"), "\(text)")
    #expect(!text.contains("fetch it again"), "\(text)")
  }

  @Test func whatAnIndexDoesNotNameIsInANote() throws {
    let beside = folder([
      "m-1.safetensors": Self.a, "projector.safetensors": Self.b,
      "model.safetensors.index.json": Self.index(["a": "m-1.safetensors"]),
    ])
    let checkpoint = try Checkpoint(path: beside.path)
    #expect(checkpoint.entries.map(\.info.name.text) == ["a"])
    #expect(checkpoint.notes.contains { $0.contains("'projector.safetensors'") })
  }

  @Test(arguments: [
    "diffusion_pytorch_model.safetensors.index.bf16.json", "diffusion_pytorch_model.safetensors.index.fp16.json",
    "model.safetensors.index.json",
  ]) func indexesOfVariantsAreRead(index: String) throws {
    let sharded = folder([
      "x-00001-of-00002.safetensors": Self.a, "x-00002-of-00002.safetensors": Self.b,
      index: Self.index(["a": "x-00001-of-00002.safetensors", "b": "x-00002-of-00002.safetensors"]),
    ])
    #expect(try names(sharded) == ["a", "b"])
  }

  @Test(arguments: [
    ["", "fp16", "non_ema"], ["fp16", "fp32"], ["", "bf16", "fp16"], ["non_ema", "ema"],
  ]) func ofVariantsOneIsChosenAndTheOthersNoted(variants: [String]) throws {
    let folder = TemporaryFolder()
    for variant in variants {
      folder.write(Self.a, to: "unet/diffusion_pytorch_model\(variant.isEmpty ? "" : "." + variant).safetensors")
    }
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.files.count == 1)
    #expect(checkpoint.notes.contains { $0.contains("passed over") })
    let best = ["bf16", "", "fp16", "fp32", "ema", "non_ema"].first { variants.contains($0) }!
    #expect(
      checkpoint.files[0].relativePath == "unet/diffusion_pytorch_model\(best.isEmpty ? "" : "." + best).safetensors")
  }

  @Test func shardsMayLieInFoldersBelow() throws {
    let below = folder([
      "shards/x1.safetensors": Self.a, "shards/deeper/x2.safetensors": Self.b,
      "model.safetensors.index.json": Self.index(["a": "shards/x1.safetensors", "b": "shards/deeper/x2.safetensors"]),
    ])
    #expect(try names(below) == ["a", "b"])
    for path in ["../x1.safetensors", "/x1.safetensors", "shards/../../x1.safetensors"] {
      let outside = folder([
        "x1.safetensors": Self.a, "model.safetensors.index.json": Self.index(["a": path]),
      ])
      #expect(refusal(outside).contains("outside the folder"), "\(path)")
    }
  }

  @Test func unfinishedDownloadsAreNamedWithTheRemedy() throws {
    let folders = [
      folder(["config.json": Array("{}".utf8), "model.safetensors.incomplete": [1]]),
      folder(["config.json": Array("{}".utf8), ".cache/huggingface/download/abc.incomplete": [1]]),
    ]
    let cache = TemporaryFolder()
    cache.write([1], to: "blobs/0123.incomplete")
    cache.write("{}", to: "snapshots/r/config.json")
    withExtendedLifetime(folders) {
      for path in folders.map(\.path) + [cache["snapshots/r"]] {
        do throws(CheckpointError) {
          _ = try Checkpoint(path: path)
          Issue.record("was read")
        } catch {
          #expect(caseName(error) == "downloadUnfinished")
          #expect(error.report.hint?.contains("hf download") == true)
        }
      }
    }
  }

  @Test func distributedCheckpointsAreNamed() {
    let state = folder([".metadata": [0x80, 2], "__0_0.distcp": [1], "__1_0.distcp": [1]])
    #expect(refusal(state).contains("torch.distributed.checkpoint"))
  }

  @Test(arguments: ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."])
  func prefixesOfWrappersAreLeftOut(prefix: String) throws {
    func tensors(_ prefix: String) -> [UInt8] {
      SafetensorsFile.bytes([(prefix + "x.weight", "U8", [1], [1]), (prefix + "y.weight", "U8", [1], [2])])
    }
    let wrapped = folder(["model.safetensors": tensors(prefix)])
    #expect(try names(wrapped) == ["x.weight", "y.weight"])
    #expect(try Checkpoint(path: wrapped.path).notes.contains { $0.contains("'\(prefix)'") })
    // Where one name has it not, it is part of the names.
    let mixed = folder([
      "model.safetensors": SafetensorsFile.bytes([(prefix + "x", "U8", [1], [1]), ("y", "U8", [1], [2])])
    ])
    #expect(try names(mixed) == [prefix + "x", "y"].sorted())
  }

  /// As the reference library pads headers, and does not: blanks of every kind that JSON has.
  @Test(arguments: [" ", "\n", "\t", "\r\n", " \n\t "]) func headersMayEndInBlanks(blanks: String) throws {
    let header = "{" + SafetensorsFile.entry("a", "U8", [2], 0, 2) + "}" + blanks
    let padded = folder(["model.safetensors": SafetensorsFile.bytes(header: header, data: [1, 2])])
    #expect(try names(padded) == ["a"])
  }

  @Test func linksInACircleEnd() throws {
    let folder = folder(["model.safetensors": Self.a])
    symlink(".", folder["again"])
    symlink("..", folder["above"])
    #expect(try names(folder) == ["a"])
  }
}

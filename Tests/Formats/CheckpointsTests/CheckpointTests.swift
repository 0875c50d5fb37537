import Checkpoints
import Foundation
import JSONText
import Tensors
import Testing
import TestSupport

private let one = SafetensorsFile.bytes([("a", "U8", [2], [1, 2])])
private let two = SafetensorsFile.bytes([("b", "U8", [2], [3, 4])])
private let good =
  #"{"metadata":{"total_size":4},"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}}"#
private let shards = ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]

@Suite struct CheckpointTests {
  private func sharded(index: String = good) -> TemporaryFolder {
    let folder = TemporaryFolder()
    folder.write(one, to: shards[0])
    folder.write(two, to: shards[1])
    folder.write(index, to: "model.safetensors.index.json")
    return folder
  }

  private func bytes(_ checkpoint: Checkpoint, _ name: String) throws -> [UInt8] {
    let entry = try #require(checkpoint.entries.first { $0.info.name == TensorName(name) })
    let buffer = try AlignedBuffer(byteCount: entry.info.byteCount)
    try checkpoint.read(entry, at: 0, into: buffer.bytes)
    return [UInt8](UnsafeRawBufferPointer(buffer.bytes))
  }

  @Test func aShardedFolderReadsAsOne() throws {
    let folder = sharded()
    for path in [folder.path, folder["model.safetensors.index.json"]] {
      let checkpoint = try Checkpoint(path: path)
      #expect(checkpoint.entries.map(\.info.name.text) == ["a", "b"])
      #expect(try bytes(checkpoint, "b") == [3, 4])
    }
  }

  static let badIndexes: [(rule: String, index: String, matches: @Sendable (CheckpointError) -> Bool)] = [
    ("not JSON", "{", { if case .json = $0 { true } else { false } }),
    (
      "a tensor twice", #"{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}"#,
      {
        if case .json(_, .duplicateKey) = $0 { true } else { false }
      }
    ),
    ("no weight map", "{}", { if case .indexWithoutWeightMap = $0 { true } else { false } }),
    ("empty weight map", #"{"weight_map":{}}"#, { if case .indexEmpty = $0 { true } else { false } }),
    (
      "file above", #"{"weight_map":{"a":"../x.safetensors"}}"#,
      { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    (
      "absolute file", #"{"weight_map":{"a":"/etc/x.safetensors"}}"#,
      { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    (
      "file outside by way of a subfolder", #"{"weight_map":{"a":"d/../../x.safetensors"}}"#,
      { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    (
      "back slash", #"{"weight_map":{"a":"d\\x.safetensors"}}"#,
      { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    (
      "NUL", #"{"weight_map":{"a":"x\u0000.safetensors"}}"#, { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    (
      "home folder", #"{"weight_map":{"a":"~x.safetensors"}}"#,
      { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    (
      "URL", #"{"weight_map":{"a":"https://x/y.safetensors"}}"#,
      { if case .indexLeadsOutside = $0 { true } else { false } }
    ),
    ("GGUF", #"{"weight_map":{"a":"x.gguf"}}"#, { if case .indexNamesOtherFormat = $0 { true } else { false } }),
    ("file that is a number", #"{"weight_map":{"a":1}}"#, { if case .json = $0 { true } else { false } }),
    (
      "missing shard", #"{"weight_map":{"a":"m-00001-of-00002.safetensors","b":"absent.safetensors"}}"#,
      {
        if case .shardMissing(_, "absent.safetensors", _) = $0 { true } else { false }
      }
    ),
    (
      "tensor that no shard holds",
      #"{"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors","c":"m-00002-of-00002.safetensors"}}"#,
      {
        if case .tensorNotInShard(_, _, "c") = $0 { true } else { false }
      }
    ),
    (
      "tensor in the other shard",
      #"{"weight_map":{"a":"m-00002-of-00002.safetensors","b":"m-00001-of-00002.safetensors"}}"#,
      {
        if case .tensorNotInShard = $0 { true } else { false }
      }
    ),
    ("tensor that the index does not name", #"{"weight_map":{"a":"m-00001-of-00002.safetensors"}}"#, { _ in false }),
  ]

  @Test(arguments: badIndexes.indices) func refusesEachBadIndex(index: Int) {
    let (rule, text, matches) = Self.badIndexes[index]
    let folder = sharded(index: text)
    guard rule != "tensor that the index does not name" else {
      // The second shard is then not part of the set: nothing of it is read.
      #expect((try? Checkpoint(path: folder.path))?.entries.count == 1)
      return
    }
    do {
      _ = try Checkpoint(path: folder.path)
      Issue.record("\(rule): accepted")
    } catch { #expect(matches(error), "\(rule): \(error)") }
  }

  @Test func aShardThatHoldsMoreThanTheIndexSaysIsRefused() {
    let folder = sharded(
      index: #"{"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}}"#)
    folder.write(SafetensorsFile.bytes([("b", "U8", [1], [3]), ("stray", "U8", [1], [4])]), to: shards[1])
    #expect(throws: CheckpointError.tensorNotInIndex(path: folder.path, shard: shards[1], tensor: "stray")) {
      try Checkpoint(path: folder.path)
    }
  }

  @Test func aTensorInTwoShardsIsRefused() {
    let folder = sharded()
    folder.write(SafetensorsFile.bytes([("b", "U8", [1], [3]), ("a", "U8", [1], [4])]), to: shards[1])
    #expect(
      throws: CheckpointError.tensorInTwoShards(path: folder.path, tensor: "a", first: shards[0], second: shards[1])
    ) {
      try Checkpoint(path: folder.path)
    }
  }

  @Test func unfinishedDownloadsAreNamed() throws {
    let folder = sharded()
    try FileManager.default.moveItem(atPath: folder[shards[1]], toPath: folder[shards[1] + ".incomplete"])
    #expect(throws: CheckpointError.shardUnfinished(path: folder.path, shard: shards[1])) {
      try Checkpoint(path: folder.path)
    }
  }

  @Test func shardsWithoutAnIndexAreRefused() throws {
    let folder = sharded()
    try FileManager.default.removeItem(atPath: folder["model.safetensors.index.json"])
    #expect(throws: CheckpointError.shardsWithoutIndex(path: folder.path, shard: shards[0])) {
      try Checkpoint(path: folder.path)
    }
  }

  @Test func twoIndexesAreRefused() {
    let folder = sharded()
    folder.write(good, to: "other.safetensors.index.json")
    #expect(throws: CheckpointError.self) { try Checkpoint(path: folder.path) }
  }

  static let strangers: [(name: String, bytes: [UInt8], looksLike: String)] = [
    ("empty", [], "an empty file"),
    ("lfs", Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".utf8), "a Git LFS pointer"),
    ("page", Array("<!DOCTYPE html><html></html>".utf8), "a web page or XML"),
    ("gzip", [0x1F, 0x8B, 8, 0], "a gzip file"), ("xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "an xz file"),
    ("7z", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive"),
    ("tar", [UInt8](repeating: 0x61, count: 257) + Array("ustar".utf8), "a tar archive"),
    ("elf", [0x7F, 0x45, 0x4C, 0x46], "a program"), ("png", [0x89, 0x50, 0x4E, 0x47], "a picture"),
    ("ggml", Array("tjgg".utf8), "a GGML file from before GGUF"),
    ("tflite", [0x1C, 0, 0, 0] + Array("TFL3".utf8), "a TensorFlow Lite model"),
    ("zeros", [UInt8](repeating: 0, count: 4096), "zero bytes only"),
    ("json", Array(#"{"a":1}"#.utf8), "JSON text"),
    ("text", Array("hello there, this is text".utf8), "plain text"),
    ("hdf5", [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "an HDF5 file"),
    ("noise", [0xF3, 0x01, 0x99, 0xC4, 0xAA, 0x81, 0x17, 0x66, 0x90], "unknown bytes"),
  ]

  @Test(arguments: strangers.indices) func saysWhatAnUnknownFileLooksLike(index: Int) throws {
    let (name, bytes, looksLike) = Self.strangers[index]
    let folder = TemporaryFolder()
    do {
      _ = try Checkpoint(path: folder.write(bytes, to: name))
      Issue.record("accepted")
    } catch let CheckpointError.notACheckpoint(_, found, _) { #expect(found == looksLike) }
  }

  @Test func specialFilesAreRefusedWithoutWaiting() {
    let folder = TemporaryFolder()
    mkfifo(folder["pipe.safetensors"], 0o600)
    #expect(throws: CheckpointError.file(.notRegular(path: folder["pipe.safetensors"], kind: "a named pipe"))) {
      try Checkpoint(path: folder["pipe.safetensors"])
    }
    #expect(throws: CheckpointError.self) { try Checkpoint(path: "/dev/zero") }
    #expect(throws: CheckpointError.self) { try Checkpoint(path: folder["absent"]) }
    let empty = TemporaryFolder()
    #expect(throws: CheckpointError.noWeights(path: empty.path)) { try Checkpoint(path: empty.path) }
  }

  @Test func aDiffusersFolderGivesItsComponentsInTheReleasedVariant() throws {
    let folder = TemporaryFolder()
    folder.write("{}", to: "model_index.json")
    folder.write(one, to: "unet/diffusion_pytorch_model.bf16.safetensors")
    folder.write(two, to: "unet/diffusion_pytorch_model.safetensors")
    folder.write(two, to: "vae/diffusion_pytorch_model.safetensors")
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.folders == ["unet", "vae"])
    #expect(checkpoint.entries.map(\.info.name.text) == ["a", "b"])
  }

  @Test func theHubCacheIsFoundByRepositoryID() throws {
    let cache = TemporaryFolder()
    let base = "models--BLIP3o--BLIP3o-Model-8B/"
    let revision = "c2edfc20aa"
    cache.write(revision + "\n", to: base + "refs/main")
    cache.write(one, to: base + "blobs/0123")
    try FileManager.default.createDirectory(
      atPath: cache[base + "snapshots/" + revision], withIntermediateDirectories: true)
    symlink("../../blobs/0123", cache[base + "snapshots/" + revision + "/model.safetensors"])
    let path = try HubCache.snapshot(of: "BLIP3o/BLIP3o-Model-8B", in: cache.path)
    #expect(try bytes(Checkpoint(path: path), "a") == [1, 2])
    #expect(throws: CheckpointError.notInCache(repository: "BLIP3o/other", cache: cache.path)) {
      try HubCache.snapshot(of: "BLIP3o/other", in: cache.path)
    }
    cache.write("../../..", to: base + "refs/main")
    #expect(throws: CheckpointError.self) { try HubCache.snapshot(of: "BLIP3o/BLIP3o-Model-8B", in: cache.path) }
  }

  @Test func theCacheFolderFollowsTheEnvironment() {
    #expect(HubCache.folder { ["HF_HUB_CACHE": "/a"][$0] } == "/a")
    #expect(HubCache.folder { ["HF_HOME": "/b"][$0] } == "/b/hub")
    #expect(HubCache.folder { ["HOME": "/c"][$0] } == "/c/.cache/huggingface/hub")
  }

  @Test(arguments: ["BLIP3o/BLIP3o-Model-8B", "a/b.c_d-e"]) func repositoryIDs(text: String) {
    #expect(HubCache.isRepositoryID(text))
  }

  @Test(arguments: ["a", "a/b/c", "/a", "../a", "a/..", "a/b--c", "a/b c", ""]) func otherTexts(text: String) {
    #expect(!HubCache.isRepositoryID(text))
  }
}

import Foundation
import Samples
import Testing
import TestSupport

@testable import ModelSources

/// Families are told apart by what is in a source, whatever it calls itself.
@Suite struct FamilyDetectionTests {
  private func family(_ path: String) throws -> String { try ModelMap(ModelSource(path: path)).family }

  /// A copy of the tiny BLIP3-o sample with other names in config.json, of some parts only.
  private func tiny(names: String, components: [String]? = nil, adding keys: String = "") throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    let scale = SampleScale.all.first { $0.name == "tiny" }!
    try SampleWriter(scale: scale, seed: 0, components: components).write(to: folder["m"], resources: Resources())
    let text = String(decoding: folder.bytes(of: "m/config.json"), as: UTF8.self)
    var members = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let others = try #require(try JSONSerialization.jsonObject(with: Data("{\(names)\(keys)}".utf8)) as? [String: Any])
    members.merge(others) { $1 }
    folder.write([UInt8](try JSONSerialization.data(withJSONObject: members)), to: "m/config.json")
    return folder
  }

  @Test(arguments: SynthesizedRelease.allCases) func aReleaseIsKnownByItsTensors(release: SynthesizedRelease) throws {
    for names in [SynthesizedRelease.ownNames, SynthesizedRelease.othersNames] {
      let folder = try release.sparse(names: names)
      let map = try ModelMap(ModelSource(path: folder["m"]))
      #expect(map.family == release.rawValue && map.components.map(\.name) == release.componentNames, "\(names)")
      #expect(map.release == (release == .next ? "BLIP3o-NEXT-3B" : "SigLIP2_SANA"))
      #expect(map.components.reduce(0) { $0 + $1.tensors.count } == release.counts.tensors)
      // Asked for by another name, it is refused.
      for other in ["blip3o", "blip3o-next", "siglip2-sana"] where other != release.rawValue {
        #expect(throws: FamilyError.self) { try ModelMap(ModelSource(path: folder["m"]), family: other) }
      }
      // Of a config.json that says nothing, too.
      folder.write("{}", to: "m/config.json")
      #expect(try family(folder["m"]) == release.rawValue)
    }
  }

  @Test(
    arguments: [nil, ["llm"], ["vision"], ["dit", "queries"], ["unet", "vae"], ["gen_vision", "stale_vae"]]
      as [[String]?])
  func theFirstFamilyIsKnownUnderAnyName(components: [String]?) throws {
    let keys = #", "diffusion_name_or_path": "x", "num_scale_tokens": 3, "unet_id": "x""#
    for extra in ["", keys] {
      let folder = try tiny(names: SynthesizedRelease.ownNames, components: components, adding: extra)
      let map = try ModelMap(ModelSource(path: folder["m"]))
      let found = map.components.map(\.name).sorted()
      #expect(map.family == "blip3o" && (components == nil || found == components!.sorted()), "\(found) \(extra)")
    }
  }

  /// Parts of the others are known as theirs, under the names of the first family.
  @Test(arguments: [
    ("blip3o-next", "model.layers."), ("blip3o-next", "model.sana_vae.decoder."), ("blip3o-next", "model.sana."),
    ("blip3o-next", "model.vision_tower."), ("blip3o-next", "model.diffusion_connector."),
    ("siglip2-sana", "encoder."), ("siglip2-sana", "transformer."), ("siglip2-sana", "vae."),
  ]) func partsAreKnown(name: String, prefix: String) throws {
    let release = try #require(SynthesizedRelease(rawValue: name))
    let folder = try release.sparse(names: SynthesizedRelease.othersNames) {
      $0.hasPrefix(prefix)
        || (prefix == "model.layers." && ["model.norm.weight", "model.embed_tokens.weight"].contains($0))
    }
    #expect(try family(folder["m"]) == name)
  }

  @Test func aMixtureIsOfNoFamily() throws {
    let folder = try SynthesizedRelease.next.sparse()
    try SafetensorsFile.writeSparse([("model.dit.model.gate", "BF16", [2])], to: folder["m/more.safetensors"])
    let map = try ModelMap(ModelSource(path: folder["m"]))
    #expect(map.family == "generic" && map.notes.contains { $0.contains("taken as family 'generic'") })
    // Without a config.json, too.
    let bare = try SynthesizedRelease.next.sparse()
    try FileManager.default.removeItem(atPath: bare["m/config.json"])
    #expect(try family(bare["m"]) == "generic")
  }

  @Test(arguments: SynthesizedRelease.allCases) func anUnfinishedReleaseIsToldWhatItLacks(
    release: SynthesizedRelease
  ) throws {
    let folder = try release.sparse { !$0.hasSuffix("transformer_blocks.3.ff.conv_point.weight") }
    do {
      _ = try family(folder["m"])
      Issue.record("accepted")
    } catch FamilyError.missing(_, let component, let count, let first, _) {
      #expect(component == "sana" && count == 1 && first.hasSuffix(".3.ff.conv_point.weight"))
    }
  }

  @Test(arguments: [
    #"{"detect": {"some": []}}"#, #"{"detect": {"all": [{}]}}"#, #"{"detect": {"all": [{"config": 3}]}}"#,
    #"{"detect": {"all": [{"config": "a", "is": "b"}]}}"#,
  ]) func aWrongConditionIsADefectOfTheMap(text: String) throws {
    #expect(throws: FamilyError.self) {
      try FamilyMap(name: "m", json: Array((#"{"title": "t", "# + text.dropFirst()).utf8))
    }
  }

  /// The best score wins, none and a tie do not.
  @Test func pointsDecide() throws {
    let folder = TemporaryFolder()
    folder.write(#"{"a": 1, "b": "x", "c": ["y", "z"]}"#, to: "m/config.json")
    folder.write(SafetensorsFile.bytes([("t.u", "U8", [1], [1])]), to: "m/m.safetensors")
    folder.write(SafetensorsFile.bytes([("v", "U8", [1], [1])]), to: "m/f/m.safetensors")
    let source = try ModelSource(path: folder["m"])
    let evidence = FamilyEvidence(source: source, configs: ConfigFiles(source))
    func map(_ name: String, _ detect: String) throws -> FamilyMap {
      try FamilyMap(name: name, json: Array(#"{"title": "t", "detect": {\#(detect)}}"#.utf8))
    }
    for (score, detect) in [
      (0, ""), (1, #""signs": [{"config": "a"}]"#), (0, #""signs": [{"config": "d"}]"#),
      (1, #""signs": [{"config": "b", "is": ["w", "x"]}]"#), (0, #""signs": [{"config": "b", "is": ["w"]}]"#),
      (1, #""signs": [{"config": "c", "is": ["z"]}]"#), (0, #""signs": [{"config": "a", "is": ["1"]}]"#),
      (1, #""signs": [{"tensor": "t."}]"#), (1, #""signs": [{"tensor": "t.u"}]"#),
      (0, #""signs": [{"tensor": "t.u."}]"#),
      (0, #""signs": [{"tensor": "v"}]"#), (1, #""signs": [{"tensor": "v", "folder": "f"}]"#),
      (2, #""signs": [{"config": "a"}, {"tensor": "t"}, {"tensor": "no"}]"#),
      (0, #""signs": [{"config": "a"}], "none": [{"tensor": "t"}]"#),
      (
        1, #""signs": [{"config": "a"}], "none": [{"tensor": "no"}], "all": [{"config": "b"}, {"file": "config.json"}]"#
      ),
      (0, #""signs": [{"config": "a"}], "all": [{"config": "b"}, {"file": "other.json"}]"#),
    ] {
      #expect(try map("m", detect).detection.score(evidence) == score, "\(detect)")
    }
    let one = try map("one", #""signs": [{"config": "a"}]"#)
    let two = try map("two", #""signs": [{"config": "a"}, {"config": "b"}]"#)
    let twin = try map("twin", #""signs": [{"config": "c"}, {"config": "b"}]"#)
    #expect(try FamilyMap.best(for: evidence, among: [one, two])?.name == "two")
    #expect(try FamilyMap.best(for: evidence, among: [two, one])?.name == "two")
    #expect(try FamilyMap.best(for: evidence, among: [one, two, twin]) == nil)
    #expect(try FamilyMap.best(for: evidence, among: [map("none", "")]) == nil)
  }
}

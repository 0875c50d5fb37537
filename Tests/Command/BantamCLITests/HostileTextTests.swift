import BantamArchive
import Foundation
import JSONText
import Kernels
import Tensors
import Testing
import TestSupport

/// Text from files that would steer a terminal, in every place where a command shows it.
@Suite struct HostileTextTests {
  private static let name = HostileText.name

  private static func quoted(_ text: String) -> String {
    var out: [UInt8] = []
    JSONValue.quote(text.utf8, to: &out)
    return String(decoding: out, as: UTF8.self)
  }

  private static func header(_ entries: [(name: String, entry: String)]) -> String {
    "{" + entries.map { quoted($0.name) + ":" + $0.entry }.joined(separator: ",") + "}"
  }

  private static func entry(_ begin: Int, _ count: Int, dtype: String = "F32") -> String {
    #"{"dtype":\#(quoted(dtype)),"shape":[\#(count / 4)],"data_offsets":[\#(begin),\#(begin + count)]}"#
  }

  /// A folder, a file, tensors, metadata, a component and an archive of hostile names.
  private static let folder: TemporaryFolder = {
    let folder = TemporaryFolder()
    let metadata = #"{\#(quoted(name)):\#(quoted(name))}"#
    let entries = [("__metadata__", metadata), (name, entry(0, 64)), ("layers.0." + name, entry(64, 64))]
    let nan = [UInt8](repeating: 0xFF, count: 128)
    folder.write(SafetensorsFile.bytes(header: header(entries), data: nan), to: "m/\(name)/\(name).safetensors")
    folder.write(SafetensorsFile.bytes(header: header(entries), data: nan), to: "m/\(name)/pytorch_model.bin")
    folder.write(
      SafetensorsFile.bytes(header: header(entries), data: nan.dropLast(4) + [0, 0, 0, 0]), to: "other.safetensors")
    for (file, bad) in [
      ("dtype", [(name, entry(0, 64, dtype: name))]), ("range", [(name, entry(0, 4096))]),
      ("twice", [(name, entry(0, 64)), (name, entry(64, 64))]), ("metadata", [("__metadata__", "{\(quoted(name)):1}")]),
    ] {
      folder.write(SafetensorsFile.bytes(header: header(bad), data: nan), to: file + ".safetensors")
    }
    try! archive(at: folder["family.bantam"])
    try! archive(at: folder["damaged.bantam"])
    var bytes = folder.bytes(of: "damaged.bantam")
    let place = bytes.firstRange(of: [UInt8](repeating: 0x5A, count: 64))!
    bytes[place.lowerBound] ^= 1
    folder.write(bytes, to: "damaged.bantam")
    return folder
  }()

  private static func archive(at path: String) throws {
    let tensor = ArchivePlan.Tensor(
      info: TensorInfo(name: TensorName(name), dtype: .u8, shape: [64])!, role: name, encoding: .plain,
      planes: [.init(kind: .values, layout: .rowMajor, byteCount: 64)],
      source: .init(
        file: 0, name: TensorName(name), dtype: .u8, offset: 8, byteCount: 64,
        digest: Digest([UInt8](repeating: 0, count: 32))),
      hasStatistics: true)
    let plan = ArchivePlan(
      components: [(name, [tensor])], sourceFiles: [.init(path: name, byteCount: 100)],
      blobs: [("config.json", Array("{}".utf8))],
      metadata: .members([
        "family": .string(name), "release": .string(name), "notes": .object([.init(name, .string(name))]),
      ]))
    let writer = try ArchiveWriter(path: path, plan: plan)
    let sink = writer.sink(tensor: 0, plane: 0)
    let bytes = [UInt8](repeating: 0x5A, count: 64)
    try bytes.withUnsafeBytes { try sink.append($0) }
    var statistics = ValueStatistics()
    bytes.withUnsafeBytes { statistics.add($0, dtype: .u8) }
    writer.record(tensor: 0, planes: [sink], sourceDigest: SHA256.of(bytes), statistics: .init(statistics))
    try writer.commit()
  }

  private static let commands: [[String]] =
    ["M", "FAMILY", "DAMAGED", "OTHER"].flatMap { file in
      [
        [], ["--all"], ["--tree"], ["--metadata"], ["--health"], ["--quality"], ["--tensor", name], ["--layout", name],
        ["--tensor", "absent"], ["--tensor", name + "x"], ["--family", name], ["--digests"],
      ].map { ["inspect", file] + $0 }
    }
    + ["dtype", "range", "twice", "metadata"].flatMap {
      [["inspect", "\($0).safetensors"], ["convert", "\($0).safetensors", "-o", "OUT"]]
    }
    + [
      ["diff", "M", "OTHER"], ["diff", "OTHER", "FAMILY"], ["diff", "M", "FAMILY", "--fail-under", "10"],
      ["diff", "M", "OTHER", "--components", name],
      ["verify", "FAMILY"], ["verify", "DAMAGED"], ["verify", "FAMILY", "--source", "M"], ["annotate", "FAMILY"],
      ["convert", "M", "-o", "OUT"], ["convert", "M", "-o", "OUT", "--dry-run"], ["convert", "M", "-o", "NAME"],
      ["convert", "M", "-o", "OUT", "--components", name], ["convert", "M", "-o", "OUT", "--family", name],
      ["convert", "DAMAGED", "-o", "OUT"], ["convert", name, "-o", "OUT"], ["convert", "M", "-o", "absent/\(name)"],
      ["quantize", "M", "-o", "OUT", "--encoding", "int8"], ["quantize", "M", "-o", "OUT", "--encoding", name],
      ["quantize", "M", "-o", "OUT", "--encoding", "*=int4"],
      ["quantize", "M", "-o", "OUT", "--keep", name, "--encoding", "int4"],
      ["export", "FAMILY", "--to", "safetensors", "-o", "NAME"], ["sample", "OUT", "--components", name],
      ["chat", "FAMILY", "a"], ["tokenize", "M", "--text", "a"], ["generate", "FAMILY", "a", "-o", "\(name).png"],
    ]

  @Test(arguments: commands.indices) func nothingOfItReachesATerminal(index: Int) throws {
    let out = TemporaryFolder()
    let files = [
      "M": Self.folder["m"], "FAMILY": Self.folder["family.bantam"], "DAMAGED": Self.folder["damaged.bantam"],
      "OTHER": Self.folder["other.safetensors"], "OUT": out["x"], "NAME": out[Self.name],
    ]
    let command = Self.commands[index].map {
      files[$0] ?? ($0.hasSuffix(".safetensors") ? Self.folder[$0] : $0)
    }
    for json in [[], ["--json"]] where json.isEmpty || command[0] != "generate" {
      let done = try Command(command + json)
      #expect(done.status != 70 && done.status < 128, "\(command): \(done.status) \(done.errors)")
      #expect(HostileText.harm(in: done.output).isEmpty, "\(command + json): \(done.output)")
      #expect(HostileText.harm(in: done.errors).isEmpty, "\(command + json): \(done.errors)")
      for line in done.errors.split(separator: "\n") where line.contains("error: ") {
        #expect(line.utf8.count <= 515, "\(line)")
      }
      if !json.isEmpty, !done.output.isEmpty { _ = try ConfigJSON.parse(Array(done.output.utf8)) }
    }
  }

  /// Escaped for people, exact for programs: in documents and in files that are written.
  @Test func programsGetTheNamesAsTheyAre() throws {
    let out = TemporaryFolder()
    let text = try Command(["inspect", Self.folder["other.safetensors"], "--all"])
    #expect(text.output.contains(PrintableText.line(Self.name)), "\(text.output)")
    func names(_ path: String) throws -> Set<String?> {
      let document = try Command(["inspect", path, "--json", "-q"]).output
      return Set(try ConfigJSON.parse(Array(document.utf8))["tensors"]?.array?.map { $0["source_name"]?.string } ?? [])
    }
    let expected: Set<String?> = [Self.name, "layers.0." + Self.name]
    #expect(try names(Self.folder["other.safetensors"]) == expected)
    #expect(try Command(["convert", Self.folder["other.safetensors"], "-o", out["n"], "-q"]).status == 0)
    #expect(try names(out["n"]) == expected)
    #expect(try Command(["export", out["n"], "--to", "safetensors", "-o", out["e"], "-q"]).status == 0)
    #expect(try names(out["e"]) == expected)
    let failed = try Command(["inspect", Self.folder["dtype.safetensors"], "--json"])
    let document = try ConfigJSON.parse(Array(failed.output.utf8))
    #expect(document["error"]?["found"]?.string == "'\(Self.name)'")
  }

  /// Tokens may be any bytes. A model that draws from all of its tokens soon says a control character.
  @Test func whatAModelSaysSteersNothing() throws {
    let arguments = [
      "chat", CommandTests.archive, "a", "--temperature", "100", "--max-tokens", "400", "--ignore-eos", "-q",
    ]
    let document = try ConfigJSON.parse(Array(try Command(arguments + ["--json"]).output.utf8))
    let answer = try #require(document["text"]?.string)
    #expect(
      answer.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" }, "it says none: take more tokens")
    let streamed = try Command(arguments)
    #expect(streamed.output == PrintableText.passage(answer) + "\n")
    #expect(!streamed.output.unicodeScalars.contains { $0.isUnprintable && $0 != "\n" && $0 != "\t" })
  }
}

import Encodings
import Foundation
import InputStatistics
import ModelSources
import Quantization
import Tensors
import Testing
import TestSupport

@testable import Conversion

/// Work that was stopped goes on behind the tensors that it had solved, and with nothing else.
@Suite struct SolvedTensorsTests {
  private let folder = TemporaryFolder()

  /// A model of three matrices, and statistics of their inputs.
  private init() throws {
    try write(seed: 1)
    var moments: [String: InputMoments] = [:]
    var generator = SeededGenerator(9)
    for name in ["a", "b", "c"] {
      moments[name] = try InputMoments(columns: 64, blockColumns: 64)
      try moments[name]!.add(generator.normals(64 * 200), rowCount: 200, weights: nil, threadCount: 1)
    }
    try StatisticsWriter.write(
      moments, StatisticsSettings(given: .null, counts: [:]), to: folder["s.safetensors"])
  }

  private func write(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    let tensors = ["a", "b", "c"].map { name in
      (name, "F32", [48, 64], generator.normals(48 * 64).withUnsafeBytes { Array($0) })
    }
    folder.write(SafetensorsFile.bytes(tensors), to: "m.safetensors")
  }

  private func options() throws -> ConversionOptions {
    var options = ConversionOptions(
      recipe: .init(defaultEncoding: BookEncoding.book4), resources: Resources(threadCount: 2))
    options.statistics = try StatisticsFile(path: folder["s.safetensors"])
    return options
  }

  /// Quantizes by way of the folder of solved tensors, which stays.
  private func quantize(_ name: String = "q") throws -> [TensorOutcome] {
    var options = try options()
    let source = try ModelSource(path: folder["m.safetensors"])
    options.solved = try SolvedTensors.open(
      beside: folder["q"], for: ConversionPlan(source: source, options: options).identity)
    return try Converter.run(ConversionPlan(source: source, options: options), to: folder[name])
  }

  @Test func whatWasSolvedIsTaken() throws {
    let source = try ModelSource(path: folder["m.safetensors"])
    let direct = try Converter.run(ConversionPlan(source: source, options: options()), to: folder["direct"])
    let outcomes = try quantize()
    #expect(outcomes == direct && folder.bytes(of: "q") == folder.bytes(of: "direct"))
    // A byte of what was kept is changed: that tensor is solved anew.
    let names = try Folder.names(in: folder["q.solved"]).filter { $0.hasSuffix(".planes") }
    #expect(names.count == 3)
    let places = names.map { folder["q.solved/" + $0] }
    let (stamps, planes) = (places.map { Folder.stamp(of: $0) }, folder.bytes(of: places[1]))
    var damaged = planes
    damaged[100] ^= 1
    folder.write(damaged, to: "q.solved/" + names[1])
    #expect(try quantize("again") == direct)
    #expect(folder.bytes(of: "again") == folder.bytes(of: "direct"))
    // It alone was written anew.
    #expect(folder.bytes(of: places[1]) == planes)
    #expect(Folder.stamp(of: places[0]) == stamps[0] && Folder.stamp(of: places[2]) == stamps[2])
  }

  @Test func anotherSourceIsOtherWork() throws {
    _ = try quantize()
    let before = folder.bytes(of: "q")
    try write(seed: 2)
    #expect(throws: ConversionError.otherWork(folder: folder["q.solved"])) { try quantize() }
    #expect(folder.bytes(of: "q") == before)
  }

  /// Other values in a file of the same size, written at the same time.
  @Test func valuesThatWereNotSolvedAreFound() throws {
    let date = Date(timeIntervalSince1970: 1_700_000_000)
    func touch() throws {
      try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: folder["m.safetensors"])
    }
    try touch()
    _ = try quantize()
    let before = folder.bytes(of: "q")
    try write(seed: 2)
    try touch()
    let error = #expect(throws: ConversionError.self) { try quantize() }
    guard case .sourceChanged = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(folder.bytes(of: "q") == before)
  }

  @Test func otherWorkIsNotThrownAway() throws {
    _ = try quantize()
    let kept = try Folder.names(in: folder["q.solved"])
    #expect(throws: ConversionError.otherWork(folder: folder["q.solved"])) {
      try SolvedTensors.open(beside: folder["q"], for: "another work")
    }
    #expect(try Folder.names(in: folder["q.solved"]) == kept)
  }

  /// Lines that are none, and files that are not there, count as if nothing had been done.
  @Test(arguments: ["", "{}", "{\"name\":\"a\"}", "[1]", "{\"layer\":3}", "\u{0}"])
  func hostileLinesAreLeftAside(line: String) throws {
    let direct = try quantize()
    let bytes = folder.bytes(of: "q")
    let journal = String(decoding: folder.bytes(of: "q.solved/journal"), as: UTF8.self)
    let lines = journal.split(separator: "\n").map(String.init)
    folder.write(([lines[0], line] + lines.dropFirst()).joined(separator: "\n") + "\n", to: "q.solved/journal")
    try FileManager.default.removeItem(
      atPath: folder["q.solved/" + Folder.names(in: folder["q.solved"]).first { $0.hasSuffix(".planes") }!])
    #expect(try quantize() == direct)
    #expect(folder.bytes(of: "q") == bytes)
  }

  /// Numbers in a line that no tensor can have: it counts as if it were not there.
  @Test(arguments: [
    ("\"zeros\":0", "\"zeros\":-1"), ("\"nonfinite\":0", "\"nonfinite\":-9"), ("\"checksum\":", "\"checksum\":-"),
  ])
  func hostileNumbersAreLeftAside(from: String, to: String) throws {
    let direct = try quantize()
    let bytes = folder.bytes(of: "q")
    let journal = String(decoding: folder.bytes(of: "q.solved/journal"), as: UTF8.self)
    let hostile = journal.replacing(from, with: to)
    #expect(hostile != journal)
    folder.write(hostile, to: "q.solved/journal")
    #expect(try quantize() == direct)
    #expect(folder.bytes(of: "q") == bytes)
  }

  /// A folder in which nothing was solved yet is no reason to refuse.
  @Test func otherWorkThatHadOnlyBegunIsForgotten() throws {
    _ = try SolvedTensors.open(beside: folder["q"], for: "another work")
    #expect(try quantize().count == 3)
  }

  /// Only what the work has put there goes.
  @Test func removingLeavesWhatIsNotOurs() throws {
    _ = try quantize()
    folder.write("mine", to: "q.solved/notes.txt")
    let source = try ModelSource(path: folder["m.safetensors"])
    try SolvedTensors.open(beside: folder["q"], for: ConversionPlan(source: source, options: options()).identity)
      .remove()
    #expect(try Folder.names(in: folder["q.solved"]) == ["notes.txt"])
  }
}

import Conversion
import Foundation
import ModelSources
import Synchronization
import Tensors
import Testing
import TestSupport

@testable import Exports

/// What a plan says is what is written, whatever the format and the source.
@Suite struct PlanTests {
  static let sources = ["tiny", "plain.bantam", "int4.bantam", "int8.bantam"]

  @Test(arguments: sources, ["safetensors", "gguf"]) func thePlanIsWhatIsWritten(source: String, format: String) throws
  {
    for dtype in [nil, DType.f32, .f16, .bf16] {
      let folder = TemporaryFolder()
      let plan = try export(
        ExportSample.folder[source], as: ExportFormats.named(format)!, to: folder["o"], dtype: dtype)
      let written = sizes(folder["o"])
      #expect(written == Dictionary(uniqueKeysWithValues: plan.files.map { ($0.path, $0.byteCount) }))
      #expect(plan.outputByteCount == written.values.reduce(0, +))
    }
  }

  @Test(arguments: sources, ["safetensors", "gguf"]) func bytesDoNotDependOnThreads(
    source: String, format: String
  ) throws {
    let folder = TemporaryFolder()
    for threads in [1, 3] {
      try export(
        ExportSample.folder[source], as: ExportFormats.named(format)!, to: folder["\(threads)"], threads: threads)
    }
    let names = sizes(folder["1"]).keys
    #expect(names == sizes(folder["3"]).keys)
    for name in names {
      let (one, three) = (Folder.join("1", name), Folder.join("3", name))
      #expect(folder.bytes(of: name.isEmpty ? "1" : one) == folder.bytes(of: name.isEmpty ? "3" : three))
    }
  }

  @Test(arguments: ["safetensors", "gguf"]) func progressCountsWhatThePlanReads(format: String) throws {
    final class Sum: Sendable {
      let value = Atomic(0)
    }
    let (folder, sum) = (TemporaryFolder(), Sum())
    let plan = try ExportFormats.named(format)!.plan(ModelSource(path: ExportSample.folder["int4.bantam"]))
    try Exporter.run(plan, to: folder["o"], resources: Resources { sum.value.add($0, ordering: .relaxed) })
    #expect(sum.value.load(ordering: .relaxed) == plan.inputByteCount)
  }

  @Test(arguments: ["safetensors", "gguf"]) func aWishToStopLeavesNothing(format: String) throws {
    let folder = TemporaryFolder()
    let resources = Resources()
    let plan = try ExportFormats.named(format)!.plan(ModelSource(path: ExportSample.path))
    resources.cancellation.cancel()
    #expect(throws: FileError.cancelled) { try Exporter.run(plan, to: folder["o"], resources: resources) }
    #expect(folder.names.isEmpty)
  }

  @Test func aSourceThatIsCutMeanwhileLeavesNothing() throws {
    let folder = ExportSample.copy()
    let source = try ModelSource(path: folder["tiny"])
    let plans = [try SafetensorsExport().plan(source), try GGUFExport().plan(source)]
    for tensor in source.tensors { truncate(folder["tiny/" + tensor.file], 5000) }
    for plan in plans {
      #expect(throws: (any Error).self) { try Exporter.run(plan, to: folder["o"], resources: Resources()) }
    }
    #expect(folder.names == ["tiny"])
  }

  @Test func tooLittleMemoryIsSaid() throws {
    let folder = TemporaryFolder()
    let plan = try GGUFExport().plan(ModelSource(path: ExportSample.path))
    #expect(throws: ResourcesError.self) {
      try Exporter.run(plan, to: folder["o"], resources: Resources(threadCount: 2, memoryByteCount: 1000))
    }
  }
}

import ArgumentParser
import BantamArchive
import Comparison
import Documents
import Glibc
import ModelSources
import Reports
import Tensors

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every byte of a .bantam file, and that it equals its source.",
    discussion: """
      Exit code 0: sound. 1: damaged, or different from the source. 65: cannot be opened.

      EXAMPLES
        bantam verify blip3o-8b.bantam
        bantam verify blip3o-8b.bantam --source BLIP3o-Model-8B
      """)

  @Argument(help: "The .bantam file.")
  var file: String

  @Option(help: ArgumentHelp("Also compare with what it was converted from.", valueName: "path"))
  var source: String?

  @OptionGroup var report: ReportOptions

  @OptionGroup var work: WorkOptions

  /// What a comparison without findings means.
  private func comparison(_ archive: Archive) -> String {
    let changed = archive.index.tensors.indices.count { !archive.isExact($0) }
    return changed == 0 ? ", equal to the source" : ", made from this source, \(changed) tensors quantized or cast"
  }

  func run() throws {
    let archive = try Archive(path: file)
    let source = try source.map { try ModelSource(path: $0) }
    let payload =
      archive.index.tensors.reduce(0) { $0 + $1.planes.reduce(0) { $0 + $1.byteCount } }
      + archive.index.blobs.reduce(0) { $0 + $1.byteCount }
    let total = payload + (source == nil ? 0 : archive.index.tensors.reduce(0) { $0 + ($1.source?.byteCount ?? 0) })
    let (resources, meter) = work.resources("verify", total: total)
    // What of the source is not in the file, as far as it was seen.
    if let source, !work.quiet { for note in source.notes { Terminal.say("note: \(note)") } }
    var findings = try ArchiveVerifier.verify(
      archive, threadCount: resources.threadCount, cancellation: resources.cancellation, progress: resources.progress)
    if let source { findings += try SourceComparison.findings(archive, source: source, resources: resources) }
    meter.finish()
    report.show(document(archive, payload, findings, isCompared: source != nil))
    if findings.isEmpty { return }
    Terminal.say("bantam: \(file): \(findings.count) finding\(findings.count == 1 ? "" : "s")")
    Glibc.exit(ExitStatus.differs.rawValue)
  }

  private func document(
    _ archive: Archive, _ payload: Int, _ findings: [ArchiveVerifier.Finding], isCompared: Bool
  ) -> Document {
    var document = Document(schema: "bantam.verify.1")
    document.fact("file", "file", .text(file))
    document.fact("tensors", "tensors", .count(archive.index.tensors.count))
    document.fact("payload_bytes", "payload", .bytes(payload))
    document.data("sound", .bool(findings.isEmpty))
    document.data("compared_with_source", .bool(isCompared))
    var table = Table(
      "findings",
      [
        .init("name", "damaged"), .init("offset", "offset"), .init("bytes", "bytes"), .init("problem", "problem"),
      ], usualCount: 30)
    for finding in findings {
      table.add([
        .name(finding.name), .count(finding.offset), .count(finding.byteCount), .text(finding.problem),
      ])
    }
    document.add(table)
    if findings.isEmpty { document.note("sound" + (isCompared ? comparison(archive) : "")) }
    return document
  }
}

import Documents
import ArgumentParser
import BantamArchive
import Comparison
import Glibc
import JSONText
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

  @Flag(help: "Print a JSON document.")
  var json = false

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
    if json {
      let document: JSONValue = .members([
        "schema": "bantam.verify.1", "file": .string(file), "sound": .bool(findings.isEmpty),
        "tensors": .int(archive.index.tensors.count), "payload_bytes": .int(payload),
        "compared_with_source": .bool(source != nil),
        "findings": .array(
          findings.map {
            .members([
              "name": .string($0.name), "offset": .int($0.offset), "bytes": .int($0.byteCount),
              "problem": .string($0.problem),
            ])
          }),
      ])
      Terminal.print(document)
    } else if findings.isEmpty {
      Terminal.print(
        "\(file)  sound: \(archive.index.tensors.count) tensors, \(Quantity.bytes(payload))"
          + (source == nil ? "" : comparison(archive)))
    } else {
      for finding in findings {
        Terminal.print(
          "\(PrintableText.shortened(finding.name)): \(finding.problem) (bytes \(finding.offset)-\(finding.offset + max(1, finding.byteCount) - 1))"
        )
      }
      Terminal.say("bantam: \(file): \(findings.count) finding\(findings.count == 1 ? "" : "s")")
    }
    if !findings.isEmpty { Glibc.exit(ExitStatus.differs.rawValue) }
  }
}

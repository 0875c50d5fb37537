import ArgumentParser
import BantamArchive
import JSONText
import Reports

struct Annotate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show or change the metadata of a .bantam file. Writes a few kilobytes, never the payload.",
    discussion: """
      A stop at any moment leaves the old metadata or the new.

      EXAMPLES
        bantam annotate blip3o-8b.bantam
        bantam annotate blip3o-8b.bantam --set note="for the laptop" --set owner=ada
        bantam annotate blip3o-8b.bantam --remove note
      """)

  @Argument(help: "The .bantam file.")
  var file: String

  @Option(name: .customLong("set"), help: ArgumentHelp("Set a note.", valueName: "key=value"))
  var changes: [String] = []

  @Option(help: ArgumentHelp("Remove a note.", valueName: "key"))
  var remove: [String] = []

  @OptionGroup var report: ReportOptions

  func validate() throws {
    for change in changes where !change.contains("=") || change.hasPrefix("=") {
      throw ValidationError("--set takes key=value, found '\(change)'")
    }
  }

  func run() throws {
    if !changes.isEmpty || !remove.isEmpty {
      try ArchiveEditor.edit(path: file) { metadata in
        var notes = metadata["notes"]?.object ?? []
        for change in changes {
          let parts = change.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          notes.removeAll { $0.key == parts[0] }
          notes.append(.init(String(parts[0]), .string(String(parts[1]))))
        }
        notes.removeAll { remove.contains($0.key) }
        let others = (metadata.object ?? []).filter { $0.key != "notes" }
        return .object(others + (notes.isEmpty ? [] : [.init("notes", .object(notes))]))
      }
    }
    report.show(try Archive(path: file).metadataDocument)
  }
}

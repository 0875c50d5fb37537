import Evidence
import Foundation
import PictureComparison
import Pictures
import Tensors

/// Where records and pictures of compared models are kept.
final class EvidenceFolders {
  private let records: String?
  private let pictures: String?
  /// Labels in the order of the models, and the subjects that were painted.
  private var labels: [String] = []
  private var subjects: [(name: String, title: String)] = []

  static let referenceLabel = "reference"
  /// Rows of a grid at the most: all of its pictures are in memory at once.
  private static let rowLimit = 12

  /// - Throws: ``FileError`` where a folder cannot be made.
  init(records: String?, pictures: String?) throws {
    self.records = records
    self.pictures = pictures
    for folder in [records, pictures].compactMap(\.self) { try Folder.make(folder) }
  }

  /// A model's name among others: with its mode or number where that is what tells them apart.
  static func label(_ candidate: EvidenceComparison.Candidate, among all: [EvidenceComparison.Candidate]) -> String {
    let stem = candidate.name.hasSuffix(".bantam") ? String(candidate.name.dropLast(7)) : candidate.name
    let same = all.filter { $0.name == candidate.name }
    if same.count == 1, stem != referenceLabel { return stem }
    if Set(same.map(\.path)).count == 1 { return "\(stem)-\(candidate.compute)" }
    let paths = same.map(\.path).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return "\(stem)-\(paths.firstIndex(of: candidate.path)! + 1)-\(candidate.compute)"
  }

  func recordPath(_ label: String) -> String? { records.map { Folder.join($0, label + ".safetensors") } }

  /// Takes the pictures of one model.
  func keeping(_ label: String) -> (EvidenceSubject, Picture) throws -> Void {
    guard let pictures else { return { _, _ in } }
    labels.append(label)
    return { [self] subject, picture in
      if !subjects.contains(where: { $0.name == subject.name }) { subjects.append((subject.name, subject.title)) }
      let file = try AtomicOutputFile(path: Folder.join(pictures, "\(subject.name).\(label).png"))
      try file.commit(picture.png(notes: ["Description": subject.title]))
    }
  }

  /// Writes `grid.png`, a row a prompt and seed, a column a model, and `differences.png`.
  func writeGrids() throws {
    guard let pictures, !subjects.isEmpty else { return }
    let rows = Array(subjects.prefix(Self.rowLimit))
    let all = try rows.map { subject in
      try labels.map { try Picture(path: Folder.join(pictures, "\(subject.name).\($0).png")) }
    }
    let grid = try PictureGrid(
      all.flatMap(\.self), columns: labels.count, columnLabels: labels, rowLabels: rows.map(\.title))
    try write(grid.picture(), to: Folder.join(pictures, "grid.png"))
    guard labels.count > 1 else { return }
    let maps = try all.flatMap { row in try row.dropFirst().map { try DifferenceMap(row[0], $0).picture } }
    let differences = try PictureGrid(
      maps, columns: labels.count - 1, columnLabels: Array(labels.dropFirst()), rowLabels: rows.map(\.title))
    try write(differences.picture(), to: Folder.join(pictures, "differences.png"))
  }

  private func write(_ picture: Picture, to path: String) throws {
    let file = try AtomicOutputFile(path: path)
    try file.commit(picture.png())
  }
}

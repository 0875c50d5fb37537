import Checkpoints
import ModelSources

/// Which tensors of a source are views of the same storage.
struct SharedStorages {
  private struct Place: Hashable {
    let fileIndex: Int
    let storage: Range<Int>

    init?(_ run: Checkpoint.StoredRun) {
      // Storages without bytes lie where the next one does.
      guard case .view(let view) = run.form, !view.storage.isEmpty else { return nil }
      fileIndex = run.fileIndex
      storage = view.storage
    }
  }

  private var members: [Place: [Int]] = [:]
  private let source: ModelSource

  init(_ source: ModelSource) {
    self.source = source
    for number in source.tensors.indices {
      for run in source.storedRuns(number) ?? [] {
        guard let place = Place(run), members[place]?.last != number else { continue }
        members[place, default: []].append(number)
      }
    }
  }

  /// How many other tensors look at the storage of a run, and the names of the first: a file may have thousands.
  func others(than number: Int, at run: Checkpoint.StoredRun) -> (count: Int, first: [String]) {
    let all = Place(run).flatMap { members[$0] } ?? []
    let first = all.prefix(9).filter { $0 != number }.prefix(8)
    return (max(0, all.count - 1), first.map { source.tensors[$0].info.name.text })
  }
}

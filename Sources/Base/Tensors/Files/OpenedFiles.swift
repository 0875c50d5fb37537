import Glibc
import Synchronization

/// The files that this process reads, so that no output takes the place of one of them.
///
/// A file counts as long as it is open. A program whose inputs stay inputs until it ends, such as a command, asks for that with
/// ``rememberAll()``: a picture that was read and closed is then still no place for an output.
public enum OpenedFiles {
  private struct State {
    /// How many times each is open; remembered ones have no end.
    var counts: [FileIdentity: Int] = [:]
    var remembered: Set<FileIdentity> = []
    var remembersAll = false
    /// Paths of files that are inputs without being open. Without a descriptor the number of one that is removed may go to another.
    var claims: [FileIdentity: [String]] = [:]
  }

  private static let state = Mutex(State())

  /// From now on a file that was opened counts until the process ends.
  public static func rememberAll() { state.withLock { $0.remembersAll = true } }

  static func add(_ identity: FileIdentity) {
    state.withLock {
      $0.counts[identity, default: 0] += 1
      if $0.remembersAll { $0.remembered.insert(identity) }
    }
  }

  static func remove(_ identity: FileIdentity) {
    state.withLock { state in
      guard let count = state.counts[identity] else { return }
      state.counts[identity] = count > 1 ? count - 1 : nil
    }
  }

  fileprivate static func claim(_ identity: FileIdentity, path: String) {
    state.withLock { $0.claims[identity, default: []].append(path) }
  }

  fileprivate static func giveUp(_ identity: FileIdentity, path: String) {
    state.withLock { state in
      guard !state.remembersAll, var paths = state.claims[identity], let place = paths.firstIndex(of: path) else {
        return
      }
      paths.remove(at: place)
      state.claims[identity] = paths.isEmpty ? nil : paths
    }
  }

  /// Whether a file is one that this process reads.
  static func contains(_ identity: FileIdentity) -> Bool {
    state.withLock { state in
      state.counts[identity] != nil || state.remembered.contains(identity)
        || state.claims[identity]?.contains { FileIdentity(path: $0) == identity } == true
    }
  }
}

/// Files that are inputs without being open: what else lies in a folder that is read as one thing.
///
/// They count as long as this object lives.
public final class ClaimedFiles: Sendable {
  private let claims: [(identity: FileIdentity, path: String)]

  public init(paths: [String]) {
    claims = paths.compactMap { path in FileIdentity(path: path).map { ($0, path) } }
    for claim in claims { OpenedFiles.claim(claim.identity, path: claim.path) }
  }

  deinit { for claim in claims { OpenedFiles.giveUp(claim.identity, path: claim.path) } }
}

import Foundation
import NetworkRuntime
import Synchronization
import Tensors

/// Lets two runs of the same networks take turns, operation by operation, and shows both outputs of each side by side: nothing
/// needs to be kept.
final class Lockstep: @unchecked Sendable {
  // Unchecked: what is not locked changes hands with the turn.
  /// Rows of the second side's activations that were rounded to 8 bits, and those that suit badly.
  struct Outliers: Sendable {
    var rows = 0
    var count = 0

    mutating func add(_ rows: Int, of count: Int) {
      self.rows += rows
      self.count += count
    }
  }

  let outliers = Mutex(Outliers())
  struct Place: Equatable {
    let phase: String
    let step: Int
    let path: String
  }

  private enum Turn { case first, second }

  private let condition = NSCondition()
  private var turn = Turn.first
  private var posted: (place: Place, operation: NetworkOperation, output: Activation)?
  private var firstIsDone = false
  private var firstHasLeft = false
  private var failure: (any Error)?

  /// Called with both outputs while both runs stand still.
  typealias Comparison = (Place, NetworkOperation, Activation, Activation) -> Void
  private let compare: Comparison

  init(_ compare: @escaping Comparison) { self.compare = compare }

  /// Runs both to their ends: the first on a thread of its own, the second on this one.
  /// - Throws: the error of whichever failed first, or ``ObservationError/otherOperations(first:second:)``; a file error where the
  ///   system refuses the thread.
  func run(
    _ first: @escaping @Sendable (any Observer) throws -> Void,
    _ second: @escaping @Sendable (any Observer) throws -> Void
  ) throws {
    try WorkerThread.start(stackByteCount: 8 << 20) { [self] in
      do {
        try first(Side(self, isFirst: true))
        finishFirst()
      } catch { fail(error) }
      firstLeaves()
    }
    do {
      try wait(for: .second)
      try second(Side(self, isFirst: false))
      try finishSecond()
    } catch { fail(error) }
    awaitFirst()
    if let failure { throw failure }
  }

  private func firstLeaves() {
    condition.lock()
    firstHasLeft = true
    condition.broadcast()
    condition.unlock()
  }

  private func awaitFirst() {
    condition.lock()
    while !firstHasLeft { condition.wait() }
    condition.unlock()
  }

  private func wait(for wanted: Turn) throws {
    condition.lock()
    defer { condition.unlock() }
    while turn != wanted, failure == nil { condition.wait() }
    if failure != nil { throw Stopped() }
  }

  private func pass(to next: Turn) {
    condition.lock()
    turn = next
    condition.broadcast()
    condition.unlock()
  }

  private func fail(_ error: any Error) {
    condition.lock()
    // The other side only stops because this one did.
    if failure == nil { failure = error }
    condition.broadcast()
    condition.unlock()
  }

  private func finishFirst() {
    firstIsDone = true
    pass(to: .second)
  }

  /// The second ends last; where the first still waits for it, it did more.
  private func finishSecond() throws {
    if !firstIsDone { throw ObservationError.otherOperations(first: posted?.place.path ?? "more", second: "the end") }
  }

  private func post(_ place: Place, _ operation: NetworkOperation, _ output: Activation) throws {
    posted = (place, operation, output)
    pass(to: .second)
    try wait(for: .first)
  }

  private func meet(_ place: Place, _ output: Activation) throws {
    guard let other = posted, !firstIsDone, other.place == place, other.output.count == output.count else {
      throw ObservationError.otherOperations(
        first: firstIsDone ? "the end" : posted?.place.path ?? "nothing", second: place.path)
    }
    compare(place, other.operation, other.output, output)
    posted = nil
    pass(to: .first)
    try wait(for: .second)
  }

  private struct Stopped: Error {}

  /// One of the two runs.
  private final class Side: Observer {
    private let lockstep: Lockstep
    private let isFirst: Bool
    private var phase = ""
    private var step = 0

    init(_ lockstep: Lockstep, isFirst: Bool) {
      self.lockstep = lockstep
      self.isFirst = isFirst
    }

    func enter(phase: String, step: Int) {
      self.phase = phase
      self.step = step
    }

    func wants(_ path: String) -> ObservedValues { isFirst ? .output : [.output, .outliers] }

    func sawOutliers(_ path: String, rows: Int, of count: Int) {
      lockstep.outliers.withLock { $0.add(rows, of: count) }
    }

    func didRun(_ operation: NetworkOperation, output: Activation?) throws {
      guard let output, operation.kind != .output else { return }
      let place = Place(phase: phase, step: step, path: operation.path)
      if isFirst {
        try lockstep.post(place, operation, output)
      } else {
        try lockstep.meet(place, output)
      }
    }
  }
}

import Glibc
import Synchronization

/// Threads that wait for work and help whoever has some. They are started when they are first of use; where the system refuses
/// more, there are fewer, and whoever asks does the work alone.
final class WorkerPool: @unchecked Sendable {
  // Unchecked: all state is behind the lock, save what is atomic.
  static let shared = WorkerPool()

  /// Work that several threads take items of. Jobs are used again, so that a parallel operation asks for no memory but its closure's.
  private final class Job {
    /// Only until the last helper is back: it does not outlive the call that it was given to.
    private var body: ((_ worker: Int, _ item: Int) -> Void)?
    private var itemCount = 0
    private let nextItem = Atomic<Int>(0)
    /// Helpers that may still join, and the number that the next one gets.
    var openPlaces = 0
    var nextWorker = 1
    let running = Atomic<Int>(0)

    func begin(_ body: @escaping (Int, Int) -> Void, itemCount: Int, places: Int) {
      self.body = body
      self.itemCount = itemCount
      nextItem.store(0, ordering: .relaxed)
      openPlaces = places
      nextWorker = 1
    }

    // Not inlined, so that no reference to the body is left when a helper says that it is back.
    @inline(never) func work(_ worker: Int) {
      guard let body else { return }
      while true {
        let item = nextItem.wrappingAdd(1, ordering: .relaxed).oldValue
        guard item < itemCount else { return }
        body(worker, item)
      }
    }

    @inline(never) func end() { body = nil }
  }

  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let workCame = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let workEnded = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var jobs: [Job] = []
  /// Jobs that are over, for the next ones.
  private var spare: [Job] = []
  private var threadCount = 0
  private var idleCount = 0
  private var isRefused = false
  /// Places that are open in all jobs: looked at without the lock.
  private let openPlaces = Atomic<Int>(0)

  /// Looks at a value that another thread is about to change, before this one goes to sleep: some microseconds.
  private static let spinCount = 8_000

  private init() {
    pthread_mutex_init(lock, nil)
    pthread_cond_init(workCame, nil)
    pthread_cond_init(workEnded, nil)
  }

  /// Calls `body(worker, item)` for each item, on this thread, as worker 0, and on up to `helpers` others; returns when all are back.
  func run(helpers: Int, itemCount: Int, _ body: (_ worker: Int, _ item: Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      let job = open(body, itemCount: itemCount, places: helpers)
      job.work(0)
      close(job)
      job.end()
      keep(job)
    }
  }

  private func open(_ body: @escaping (Int, Int) -> Void, itemCount: Int, places: Int) -> Job {
    pthread_mutex_lock(lock)
    let job = spare.popLast() ?? Job()
    job.begin(body, itemCount: itemCount, places: places)
    jobs.append(job)
    let open = openPlaces.add(places, ordering: .relaxed).newValue
    while idleCount < open, threadCount < 1024, !isRefused, startHelper() {}
    if places == 1 { pthread_cond_signal(workCame) } else { pthread_cond_broadcast(workCame) }
    pthread_mutex_unlock(lock)
    return job
  }

  private func keep(_ job: Job) {
    pthread_mutex_lock(lock)
    if spare.count < 16 { spare.append(job) }
    pthread_mutex_unlock(lock)
  }

  /// With the lock held. A new helper counts as idle from its start.
  private func startHelper() -> Bool {
    do throws(FileError) { try WorkerThread.start { [self] in help() } } catch {
      isRefused = true
      return false
    }
    threadCount += 1
    idleCount += 1
    return true
  }

  private func close(_ job: Job) {
    pthread_mutex_lock(lock)
    if let place = jobs.firstIndex(where: { $0 === job }) {
      jobs.remove(at: place)
      openPlaces.subtract(job.openPlaces, ordering: .relaxed)
      job.openPlaces = 0
    }
    pthread_mutex_unlock(lock)
    var spins = 0
    while spins < Self.spinCount, job.running.load(ordering: .acquiring) > 0 { spins += 1 }
    guard job.running.load(ordering: .acquiring) > 0 else { return }
    pthread_mutex_lock(lock)
    while job.running.load(ordering: .acquiring) > 0 { pthread_cond_wait(workEnded, lock) }
    pthread_mutex_unlock(lock)
  }

  private func help() {
    while true {
      var spins = 0
      while spins < Self.spinCount, openPlaces.load(ordering: .relaxed) == 0 { spins += 1 }
      pthread_mutex_lock(lock)
      while jobs.isEmpty { pthread_cond_wait(workCame, lock) }
      let job = jobs[0]
      let worker = job.nextWorker
      job.nextWorker += 1
      job.openPlaces -= 1
      openPlaces.subtract(1, ordering: .relaxed)
      if job.openPlaces == 0 { jobs.removeFirst() }
      job.running.add(1, ordering: .relaxed)
      idleCount -= 1
      pthread_mutex_unlock(lock)
      job.work(worker)
      pthread_mutex_lock(lock)
      idleCount += 1
      if job.running.subtract(1, ordering: .releasing).newValue == 0 { pthread_cond_broadcast(workEnded) }
      pthread_mutex_unlock(lock)
    }
  }
}

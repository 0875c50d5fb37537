import Tensors

/// Rows of a picture in bands, each the work of one thread.
///
/// What the bands give comes back in their order, and they do not depend on how many threads there are: sums over them are the
/// same on any number.
enum RowBands {
  /// Little enough that a band's buffers are small, and enough that few rows are looked at by two bands.
  static let height = 16

  static func map<Part: Sendable>(
    rowCount: Int, threads: Int, _ body: @Sendable (_ rows: Range<Int>) -> Part
  ) -> [Part] {
    let count = (rowCount + height - 1) / height
    return Array(unsafeUninitializedCapacity: count) { buffer, initializedCount in
      nonisolated(unsafe) let parts = buffer
      Workers.run(threadCount: threads, itemCount: count) { _, band in
        parts.initializeElement(at: band, to: body(band * height..<min(rowCount, (band + 1) * height)))
      }
      initializedCount = count
    }
  }
}

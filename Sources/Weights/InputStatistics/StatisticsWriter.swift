import Checkpoints
import JSONText
import Tensors

/// Writes statistics, weights in the order of their names: equal sums give equal bytes.
public struct StatisticsWriter {
  private let file: SafetensorsStream

  /// - Parameter tensorCount: at most so many tensors.
  private init(path: String, tensorCount: Int) throws(FileError) {
    file = try SafetensorsStream(path: path, headerByteCount: 4096 + 256 * tensorCount)
  }

  /// Writes what was collected.
  public static func write(_ moments: [String: InputMoments], _ settings: StatisticsSettings, to path: String) throws {
    let writer = try StatisticsWriter(
      path: path, tensorCount: moments.values.reduce(1) { $0 + 3 + $1.blocks.ranges.count })
    for (name, moments) in moments.sorted(by: { $0.key < $1.key }) {
      try writer.head(name, rows: moments.rowCount, largest: moments.largest, squares: moments.squares)
      for (number, range) in moments.blocks.ranges.enumerated() {
        try writer.block(name, range, moments.sums(of: number))
      }
    }
    try writer.finish(settings)
  }

  /// Writes the sums of several files of the same model, collected in the same way.
  /// - Throws: ``StatisticsError/doNotFit(path:other:what:)``.
  public static func write(sumOf files: [StatisticsFile], to path: String) throws {
    var settings = files[0].settings
    for other in files.dropFirst() {
      guard other.settings.given.text() == settings.given.text() else {
        throw StatisticsError.doNotFit(path: files[0].path, other: other.path, what: "model, or way of collecting")
      }
      settings.counts.merge(other.settings.counts) { $0 + $1 }
    }
    let names = Set(files.flatMap { $0.entries.map(\.name) }).sorted()
    let parts = names.map { name in (name: name, files: files.filter { $0.entry(name) != nil }) }
    let writer = try StatisticsWriter(
      path: path,
      tensorCount: parts.reduce(1) { $0 + 3 + $1.files[0].entry($1.name)!.blocks.ranges.count })
    for (name, files) in parts {
      let entries = files.map { $0.entry(name)! }
      let blocks = entries[0].blocks
      for (file, entry) in zip(files, entries) where entry.blocks != blocks {
        throw StatisticsError.doNotFit(path: files[0].path, other: file.path, what: "size of blocks for '\(name)'")
      }
      var largest = [Float](repeating: 0, count: blocks.columns)
      for (file, entry) in zip(files, entries) { largest = zip(largest, try file.largest(entry)).map { max($0, $1) } }
      func sum(_ part: String) throws -> [Double] {
        var total: [Double] = []
        for file in files {
          let pair = try file.pair("\(name)/\(part)")
          if total.isEmpty { total = pair } else { for index in pair.indices { total[index] += pair[index] } }
        }
        return total
      }
      try writer.head(
        name, rows: entries.reduce(0) { $0 + $1.rowCount }, largest: largest, squares: sum("squares"))
      for range in blocks.ranges {
        try sum("moments.\(range.lowerBound)").withUnsafeBytes { try writer.block(name, range, $0) }
      }
    }
    try writer.finish(settings)
  }

  private func head(_ name: String, rows: Int, largest: [Float], squares: [Double]) throws {
    try withUnsafeBytes(of: Int64(rows)) { try append("\(name)/count", .i64, [1], $0) }
    try largest.withUnsafeBytes { try append("\(name)/largest", .f32, [largest.count], $0) }
    try squares.withUnsafeBytes { try append("\(name)/squares", .f64, [2, largest.count], $0) }
  }

  private func block(_ name: String, _ range: Range<Int>, _ pair: UnsafeRawBufferPointer) throws {
    try append(
      "\(name)/moments.\(range.lowerBound)", .f64, [2, MomentBlocks.triangleCount(range.count)], pair)
  }

  private func finish(_ settings: StatisticsSettings) throws {
    try Array(settings.json.text().utf8).withUnsafeBytes { try append("settings", .u8, [$0.count], $0) }
    try file.finish()
  }

  private func append(_ name: String, _ dtype: DType, _ shape: [Int], _ bytes: UnsafeRawBufferPointer) throws {
    try file.append(TensorInfo(name: TensorName(name), dtype: dtype, shape: shape)!, bytes)
  }
}

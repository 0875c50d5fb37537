import Checkpoints
import JSONText
import Kernels
import ModelSources
import Tensors

/// Statistics of a model's inputs, read from their file matrix by matrix. Format: formats/statistics.md.
public final class StatisticsFile: InputSums {
  public let path: String
  public let settings: StatisticsSettings
  /// Weights that have statistics, in the order of their names.
  public let entries: [Entry]
  private let source: ModelSource
  private let numbers: [String: Int]
  private let places: [String: Int]

  /// What is known of the inputs of one matrix without reading its sums.
  public struct Entry: Sendable, Equatable {
    /// The weight's tensor.
    public let name: String
    public let blocks: MomentBlocks
    public let rowCount: Int

    /// Whether there are fewer than two rows a column: too few to tell how columns go together.
    public var isThin: Bool { rowCount < 2 * blocks.columns }
  }

  private static let settingsLimit = 1 << 20
  private static let columnLimit = 1 << 20
  static let blockLimit = 1 << 14

  /// - Throws: ``StatisticsError``; the errors of opening a source.
  public init(path: String) throws {
    self.path = path
    let source = try ModelSource(Checkpoint(path: path))
    self.source = source
    var numbers: [String: Int] = [:]
    for (number, tensor) in source.tensors.enumerated() { numbers[tensor.info.name.text] = number }
    self.numbers = numbers
    guard let number = numbers["settings"], source.tensors[number].info.dtype == .u8,
      source.tensors[number].info.byteCount <= Self.settingsLimit
    else { throw StatisticsError.malformed(path: path, name: "settings", rule: "is missing") }
    var bytes = [UInt8](repeating: 0, count: source.tensors[number].info.byteCount)
    try bytes.withUnsafeMutableBytes { try source.read(number, at: 0, into: $0) }
    guard let json = try? ConfigJSON.parse(bytes), let settings = StatisticsSettings(json) else {
      throw StatisticsError.malformed(
        path: path, name: "settings", rule: "is not of schema \(StatisticsSettings.schema)")
    }
    self.settings = settings
    // Whatever part of a matrix's statistics is there, all must be.
    let names = Set(
      numbers.keys.compactMap { name in name.lastIndex(of: "/").map { String(name[..<$0]) } }
    ).sorted()
    entries = try names.map { try Self.entry($0, source, numbers, path) }
    places = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
  }

  private static func entry(
    _ name: String, _ source: ModelSource, _ numbers: [String: Int], _ path: String
  ) throws -> Entry {
    func info(_ part: String, _ dtype: DType, _ shape: (TensorInfo) -> Bool, _ rule: String) throws -> TensorInfo {
      guard let number = numbers["\(name)/\(part)"] else {
        throw StatisticsError.malformed(path: path, name: "\(name)/\(part)", rule: "is missing")
      }
      let info = source.tensors[number].info
      guard info.dtype == dtype, shape(info) else {
        throw StatisticsError.malformed(path: path, name: info.name.text, rule: "is not \(dtype.name) \(rule)")
      }
      return info
    }
    let squares = try info(
      "squares", .f64, { $0.shape.count == 2 && $0.shape[0] == 2 && (1...columnLimit).contains($0.shape[1]) },
      "[2, columns]")
    let columns = squares.shape[1]
    _ = try info("largest", .f32, { $0.shape == [columns] }, "[\(columns)]")
    _ = try info("count", .i64, { $0.shape == [1] }, "[1]")
    var blockColumns = 0
    if numbers["\(name)/moments.0"] != nil {
      let first = try info("moments.0", .f64, { $0.shape.count == 2 && $0.shape[0] == 2 }, "[2, triangle]").shape[1]
      // n (n + 1) / 2 for some n.
      let size = (Int((8 * Double(first) + 1).squareRoot()) - 1) / 2
      guard (1...blockLimit).contains(size), MomentBlocks.triangleCount(size) == first, size <= columns,
        size == columns || size % GroupTile.columns == 0
      else {
        throw StatisticsError.malformed(
          path: path, name: "\(name)/moments.0",
          rule: "is no triangle of a multiple of 32 columns, or of all, up to \(blockLimit)")
      }
      blockColumns = size
    }
    let blocks = MomentBlocks(columns: columns, blockColumns: blockColumns)
    let momentCount = numbers.keys.count { $0.hasPrefix("\(name)/moments.") }
    guard momentCount == blocks.ranges.count else {
      throw StatisticsError.malformed(
        path: path, name: "\(name)/moments", rule: "has \(momentCount) blocks instead of \(blocks.ranges.count)")
    }
    for range in blocks.ranges {
      let count = MomentBlocks.triangleCount(range.count)
      _ = try info("moments.\(range.lowerBound)", .f64, { $0.shape == [2, count] }, "[2, \(count)]")
    }
    var count: Int64 = 0
    try withUnsafeMutableBytes(of: &count) { try source.read(numbers["\(name)/count"]!, at: 0, into: $0) }
    guard count >= 0, count < 1 << 48 else {
      throw StatisticsError.malformed(path: path, name: "\(name)/count", rule: "is \(count)")
    }
    return Entry(name: name, blocks: blocks, rowCount: Int(count))
  }

  public func entry(_ name: String) -> Entry? { places[name].map { entries[$0] } }

  /// Sums of squares by column.
  public func squares(_ entry: Entry) throws -> [Double] { try sums("\(entry.name)/squares") }

  /// Largest magnitudes by column.
  public func largest(_ entry: Entry) throws -> [Float] {
    try values("\(entry.name)/largest", count: entry.blocks.columns, zero: Float(0))
  }

  /// A block as a symmetric matrix, `[size, size]`.
  public func moments(_ entry: Entry, _ range: Range<Int>) throws -> [Double] {
    let triangle = try sums("\(entry.name)/moments.\(range.lowerBound)")
    return MomentBlocks.symmetric(triangle, size: range.count)
  }

  /// A digest of how they were collected, of all sums of squares, and of how the moments lie.
  public func fingerprint() throws -> String {
    let hash = SHA256()
    hash.update(settings.json.text())
    for entry in entries {
      hash.update("\n\(entry.name) \(entry.rowCount) \(entry.blocks.blockColumns) ")
      try pair("\(entry.name)/squares").withUnsafeBytes { hash.update($0) }
    }
    return hash.finish().description
  }

  /// Rows of a pair, as they are stored.
  func pair(_ name: String) throws -> [Double] {
    let count = source.tensors[numbers[name]!].info.elementCount
    let pair = try values(name, count: count, zero: 0.0)
    guard pair.allSatisfy(\.isFinite) else {
      throw StatisticsError.malformed(path: path, name: name, rule: "holds what are no finite numbers")
    }
    return pair
  }

  private func sums(_ name: String) throws -> [Double] { SplitSum.totals(try pair(name)) }

  private func values<Value>(_ name: String, count: Int, zero: Value) throws -> [Value] {
    var values = [Value](repeating: zero, count: count)
    try values.withUnsafeMutableBytes { try source.read(numbers[name]!, at: 0, into: $0) }
    return values
  }
}

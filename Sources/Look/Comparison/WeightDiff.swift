import Kernels
import ModelSources
import Synchronization
import Tensors

/// Compares the weights of two sources.
public struct WeightDiff: Sendable {
  public enum Status: String, Sendable {
    case equal, changed, missing, extra
    /// Shapes differ, or a dtype has no arithmetic here and the bytes differ.
    case different
  }

  public struct Row: Sendable {
    public let name: TensorName
    public let status: Status
    public let shape: [Int]
    /// Why a row is `different`.
    public let note: String?
    /// How the values differ, where both sides have them as numbers.
    public let values: ValueDifference?
    /// Where they differ most for their size.
    public let worstBlock: WorstBlock?
    /// How both sides store it, such as `bf16 plain, bf16 int4-g32`.
    public let encodings: String
  }

  /// In the order of the first source, then what only the second has.
  public let rows: [Row]

  /// - Parameters:
  ///   - a: the reference.
  ///   - b: what is compared with it.
  /// - Throws: what opening or reading either side throws.
  public init(_ a: ModelSource, _ b: ModelSource, components: [String]? = nil, resources: Resources) throws {
    let pairs = try Self.pairs(a, b, components)
    let results = Mutex<[Int: Row]>([:])
    try Workers.run(threadCount: resources.threadCount, itemCount: pairs.count) { _, item in
      let row = try Self.compare(pairs[item], a, b, resources)
      results.withLock { $0[item] = row }
    }
    try a.checkUnchanged()
    try b.checkUnchanged()
    let found = results.withLock { $0 }
    rows = pairs.indices.map { found[$0]! }
  }

  /// Energy of the reference over that of the differences, in dB, over all rows that both sides have as numbers: infinite without
  /// difference.
  public static func sqnrDecibels(of rows: [Row]) -> Double {
    let values = rows.compactMap(\.values)
    return decibels(values.reduce(0) { $0 + $1.signalSquare }, over: values.reduce(0) { $0 + $1.errorSquare })
  }

  struct Pair: Sendable {
    let name: TensorName
    let a: Int?
    let b: Int?
  }

  /// Bytes that a comparison reads.
  public static func inputByteCount(_ a: ModelSource, _ b: ModelSource, components: [String]? = nil) throws -> Int {
    try pairs(a, b, components).reduce(0) { sum, pair in
      guard let left = pair.a, pair.b != nil else { return sum }
      return sum + a.tensors[left].info.byteCount
    }
  }

  /// Matches names. Where only one side is of a known family, both are taken under their own names.
  static func pairs(_ a: ModelSource, _ b: ModelSource, _ components: [String]?) throws -> [Pair] {
    var maps = [try ModelMap(a), try ModelMap(b)]
    if maps[0].family != maps[1].family {
      maps = try [a, b].map { try $0.archive == nil ? ModelMap($0, family: "generic") : ModelMap($0) }
    }
    for name in components ?? [] where !maps.contains(where: { $0.components.contains { $0.name == name } }) {
      throw FamilyError.componentAbsent(path: a.path, name: name, has: maps[0].components.map(\.name))
    }
    // A component that one side lacks as a whole was left out on purpose; it counts only where it is asked for.
    let shared =
      components
      ?? maps[0].components.map(\.name).filter { name in
        maps[1].components.contains { $0.name == name }
      }
    let sides = maps.map { map in
      map.components.filter { shared.contains($0.name) || components == nil && map.family == "generic" }.flatMap(
        \.tensors)
    }
    let right = Dictionary(sides[1].map { ($0.name, $0.number) }, uniquingKeysWith: { first, _ in first })
    var pairs = sides[0].map { Pair(name: $0.name, a: $0.number, b: right[$0.name]) }
    let left = Set(sides[0].map(\.name))
    pairs += sides[1].filter { !left.contains($0.name) }.map { Pair(name: $0.name, a: nil, b: $0.number) }
    return pairs
  }

  private static func compare(_ pair: Pair, _ a: ModelSource, _ b: ModelSource, _ resources: Resources) throws -> Row {
    let stored = [pair.a.map { a.tensors[$0] }, pair.b.map { b.tensors[$0] }].compactMap { $0 }
    let encodings = stored.map { "\($0.info.dtype.name) \($0.encoding)" }.joined(separator: ", ")
    func row(
      _ status: Status, _ shape: [Int], _ note: String? = nil, _ values: ValueDifference? = nil,
      _ worstBlock: WorstBlock? = nil
    ) -> Row {
      Row(
        name: pair.name, status: status, shape: shape, note: note, values: values, worstBlock: worstBlock,
        encodings: encodings)
    }
    guard let left = pair.a else { return row(.extra, b.tensors[pair.b!].info.shape) }
    let info = a.tensors[left].info
    guard let right = pair.b else { return row(.missing, info.shape) }
    let other = b.tensors[right].info
    guard info.shape == other.shape else {
      return row(.different, info.shape, "shape \(info.shapeText) against \(other.shapeText)")
    }
    for (source, number) in [(a, left), (b, right)] where !source.isReadable(number) {
      return row(.different, info.shape, "\(source.tensors[number].encoding) is not read")
    }
    let isPart = a.tensors[left].isPart || b.tensors[right].isPart
    if info.dtype.isReal && other.dtype.isReal && !isPart {
      let (values, worst) = try TensorComparison.difference(a, left, b, right, resources)
      // f64 is compared as f32, which may hide a difference.
      if values.changedCount == 0, info.dtype == .f64, other.dtype == .f64,
        try !a.hasSameBytes(left, as: right, of: b, resources)
      {
        return row(.changed, info.shape, nil, values, worst)
      }
      return row(values.changedCount == 0 ? .equal : .changed, info.shape, nil, values, worst)
    }
    guard info.dtype == other.dtype else {
      return row(.different, info.shape, "dtype \(info.dtype.name) against \(other.dtype.name)")
    }
    let isEqual = try a.hasSameBytes(left, as: right, of: b, resources)
    return row(isEqual ? .equal : .different, info.shape, isEqual ? nil : "bytes differ")
  }
}

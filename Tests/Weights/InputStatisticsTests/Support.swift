import InputStatistics
import JSONText
import TestSupport

/// Rows of inputs of one matrix, as a run hands them over.
struct InputRows {
  let values: [Float]
  let columns: Int
  /// What the squares of each row count; nil: 1.
  var weights: [Float]?

  var rowCount: Int { values.count / columns }

  /// Random rows whose columns go together a little.
  /// - Parameter scales: of the columns; nil: 1.
  init(_ rowCount: Int, _ columns: Int, scales: [Float]? = nil, _ generator: inout SeededGenerator) {
    self.columns = columns
    var values: [Float] = []
    for _ in 0..<rowCount {
      let cause = generator.normals(1)[0]
      for (column, own) in generator.normals(columns).enumerated() {
        values.append((own + (column % 2 == 0 ? cause : -0.5 * cause)) * (scales?[column] ?? 1))
      }
    }
    self.values = values
  }

  /// Squares of every third row count a quarter.
  func weighted() -> InputRows {
    var rows = self
    rows.weights = (0..<rowCount).map { $0 % 3 == 0 ? 0.25 : 1 }
    return rows
  }

  /// `[columns, columns]`: the sums over rows of the products of each two columns, in f64.
  var moments: [Double] {
    var sums = [Double](repeating: 0, count: columns * columns)
    for row in 0..<rowCount {
      let own = values[row * columns..<(row + 1) * columns].map { Double($0) }
      let weight = Double(weights?[row] ?? 1)
      for i in 0..<columns { for j in 0..<columns { sums[i * columns + j] += weight * own[i] * own[j] } }
    }
    return sums
  }

  var largest: [Float] {
    (0..<columns).map { column in (0..<rowCount).reduce(0) { max($0, abs(values[$1 * columns + column])) } }
  }
}

extension InputMoments {
  /// What several runs have handed over, one after another.
  static func of(_ runs: [InputRows], block: Int, threads: Int = 2) throws -> InputMoments {
    let moments = try InputMoments(columns: runs[0].columns, blockColumns: block)
    for run in runs {
      try moments.add(run.values, rowCount: run.rowCount, weights: run.weights, threadCount: threads)
    }
    return moments
  }
}

extension TemporaryFolder {
  /// Writes statistics and opens them.
  func statistics(
    _ moments: [String: InputMoments], _ name: String = "s.safetensors", given: JSONValue = "a test",
    counts: [String: Int] = ["text": 1]
  ) throws -> StatisticsFile {
    try StatisticsWriter.write(moments, StatisticsSettings(given: given, counts: counts), to: self[name])
    return try StatisticsFile(path: self[name])
  }
}

/// The bytes of numbers as files have them.
func bytes<Number>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

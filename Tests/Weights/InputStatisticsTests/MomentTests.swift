import InputStatistics
import Testing
import TestSupport

/// Statistics are the sums that they are said to be, whoever adds them up.
@Suite struct MomentTests {
  /// Runs of one row, of as many rows as are summed at once, and of some more.
  private static let rowCounts = [1, 511, 512, 513, 1100]

  @Test(arguments: [1, 5, 31, 32, 33, 100], [32, 64])
  func sumsAreThoseOfThePlainProducts(columns: Int, block: Int) throws {
    var generator = SeededGenerator(UInt64(columns))
    for rowCount in Self.rowCounts {
      let plain = InputRows(rowCount, columns, &generator)
      for rows in [plain, plain.weighted()] {
        let folder = TemporaryFolder()
        let file = try folder.statistics(["w": .of([rows], block: block)])
        let entry = try #require(file.entry("w"))
        let comment: Comment = "\(rowCount) rows, \(rows.weights == nil ? "plain" : "weighted")"
        #expect(file.entries == [entry] && entry.rowCount == rowCount && entry.blocks.columns == columns, comment)
        let expected = rows.moments
        func diagonal(_ column: Int) -> Double { expected[column * (columns + 1)] }
        // Sums of products are rounded as parts of what their columns have in them.
        func isNear(_ found: Double, _ i: Int, _ j: Int) -> Bool {
          abs(found - expected[i * columns + j]) <= 1e-5 * (diagonal(i) * diagonal(j)).squareRoot() + 1e-12
        }
        let squares = try file.squares(entry)
        #expect(squares.count == columns && squares.indices.allSatisfy { isNear(squares[$0], $0, $0) }, comment)
        // Weights say how much a row counts, not how large it is.
        #expect(try file.largest(entry) == plain.largest, comment)
        #expect(entry.blocks.ranges == stride(from: 0, to: columns, by: block).map { $0..<min(columns, $0 + block) })
        for range in entry.blocks.ranges {
          let moments = try file.moments(entry, range)
          let isRight = moments.indices.allSatisfy {
            isNear(moments[$0], range.lowerBound + $0 / range.count, range.lowerBound + $0 % range.count)
          }
          #expect(isRight && moments.count == range.count * range.count, comment)
        }
      }
    }
  }

  @Test func squaresAloneMayBeKept() throws {
    var generator = SeededGenerator(1)
    let (rows, folder) = (InputRows(20, 40, &generator), TemporaryFolder())
    let file = try folder.statistics(["w": .of([rows], block: 0)])
    let entry = try #require(file.entry("w"))
    #expect(entry.blocks.blockColumns == 0 && entry.blocks.ranges.isEmpty)
    let (squares, moments) = (try file.squares(entry), rows.moments)
    #expect(squares.indices.allSatisfy { abs(squares[$0] / moments[$0 * 41] - 1) < 1e-6 })
  }

  /// Fewer than two rows a column say little of how columns go together.
  @Test func thinStatisticsAreMarked() throws {
    var generator = SeededGenerator(2)
    for (rowCount, isThin) in [(63, true), (64, false)] {
      let folder = TemporaryFolder()
      let file = try folder.statistics(["w": .of([InputRows(rowCount, 32, &generator)], block: 32)])
      #expect(file.entry("w")?.isThin == isThin)
    }
  }

  // MARK: The same bytes

  /// Documents whose columns' sizes are ten orders of magnitude apart, one of them with weights.
  private static func documents() -> [InputRows] {
    var generator = SeededGenerator(3)
    let columns = 70
    let sizes: [Float] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4]
    let scales = (0..<columns).map { sizes[$0 % sizes.count] }
    var documents = [3, 600, 512, 41, 1].map { InputRows($0, columns, scales: scales, &generator) }
    documents[1] = documents[1].weighted()
    return documents
  }

  private func written(_ moments: [String: InputMoments], counts: [String: Int]) throws -> [UInt8] {
    let folder = TemporaryFolder()
    return folder.bytes(of: try folder.statistics(moments, counts: counts).path)
  }

  @Test(arguments: [0, 32, 96]) func neitherThreadsNorTheOrderOfDocumentsMatter(block: Int) throws {
    let documents = Self.documents()
    let expected = try written(["w": .of(documents, block: block, threads: 1)], counts: ["text": 5])
    for threads in [2, 3, 7] {
      #expect(try written(["w": .of(documents, block: block, threads: threads)], counts: ["text": 5]) == expected)
    }
    let turned = Array(documents.reversed())
    #expect(try written(["w": .of(turned, block: block)], counts: ["text": 5]) == expected)
  }

  /// However documents are shared out among files, and in whichever order the files are added.
  @Test(arguments: [0, 32, 96]) func partsAddUpToTheWhole(block: Int) throws {
    let documents = Self.documents()
    let folder = TemporaryFolder()
    let whole = try folder.statistics(
      ["w": .of(documents, block: block)], "whole.safetensors", counts: ["painting": 1, "text": 4])
    let parts = try [[0, 3], [1], [2, 4]].enumerated().map { number, part in
      try folder.statistics(
        ["w": .of(part.map { documents[$0] }, block: block)], "\(number).safetensors",
        counts: number == 1 ? ["painting": 1] : ["text": 2])
    }
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
      try StatisticsWriter.write(sumOf: order.map { parts[$0] }, to: folder["sum.safetensors"])
      #expect(folder.bytes(of: "sum.safetensors") == folder.bytes(of: whole.path), "\(order)")
    }
  }

  /// Matrices that only one of the files has seen are in the sum.
  @Test func everyMatrixOfAnyFileIsInTheSum() throws {
    var generator = SeededGenerator(4)
    let rows = (0..<4).map { _ in InputRows(30, 33, &generator) }
    func moments(_ numbers: Int...) throws -> InputMoments { try .of(numbers.map { rows[$0] }, block: 32) }
    let folder = TemporaryFolder()
    let first = try folder.statistics(["a": moments(0), "b": moments(1)], "1.safetensors")
    let second = try folder.statistics(["b": moments(2), "c": moments(3)], "2.safetensors")
    let whole = try folder.statistics(
      ["a": moments(0), "b": moments(1, 2), "c": moments(3)], "whole.safetensors", counts: ["text": 2])
    try StatisticsWriter.write(sumOf: [first, second], to: folder["sum.safetensors"])
    #expect(folder.bytes(of: "sum.safetensors") == folder.bytes(of: whole.path))
  }

  @Test func filesThatDoNotFitAreNotAdded() throws {
    var generator = SeededGenerator(5)
    let rows = InputRows(30, 70, &generator)
    let narrow = InputRows(30, 69, &generator)
    let folder = TemporaryFolder()
    let file = try folder.statistics(["w": .of([rows], block: 32)])
    let others = [
      try folder.statistics(["w": .of([rows], block: 32)], "given.safetensors", given: "another test"),
      try folder.statistics(["w": .of([rows], block: 64)], "block.safetensors"),
      try folder.statistics(["w": .of([rows], block: 0)], "squares.safetensors"),
      try folder.statistics(["w": .of([narrow], block: 32)], "narrow.safetensors"),
    ]
    for other in others {
      #expect("\(other.path)") {
        try StatisticsWriter.write(sumOf: [file, other], to: folder["sum.safetensors"])
      } throws: {
        caseName($0) == "doNotFit"
      }
    }
    #expect(!folder.names.contains { $0.contains("sum") }, "nothing half-written stays")
  }
}

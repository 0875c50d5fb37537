import Encodings
import InputStatistics
import Kernels
import Tensors
import Testing
import TestSupport

/// How far statistics guide a quantizer: as far as they and the order of the columns go, and never for another matrix.
@Suite struct GuideDepthTests {
  private let hasLAPACK = OpenBLAS.shared != nil

  private func matrix(_ rows: Int, _ columns: Int) -> EncodedShape {
    EncodedShape(MatrixShape(rows: rows, columns: columns), dtype: .f32)
  }

  /// A kernel of 3 x 3 as it would be stored.
  private func kernel(channels: Int) throws -> EncodedShape {
    let info = try #require(TensorInfo(name: "w", dtype: .bf16, shape: [16, channels, 3, 3]))
    return try #require(BookEncoding.book4.shape(forWriting: info))
  }

  /// Statistics of so many columns, a hundred rows.
  private func file(_ columns: Int, _ folder: TemporaryFolder, block: Int = 32) throws -> StatisticsFile {
    var generator = SeededGenerator(UInt64(columns))
    return try folder.statistics(["w": .of([InputRows(100, columns, &generator)], block: block)])
  }

  /// What columns count where they count by their squares alone.
  private func counted(_ file: StatisticsFile) throws -> [Float] {
    let squares = try file.squares(try #require(file.entry("w")))
    let mean = squares.reduce(0, +) / Double(squares.count)
    return squares.map { Float($0 / mean) }
  }

  @Test func momentsFeedErrorsBack() throws {
    let folder = TemporaryFolder()
    let file = try file(100, folder)
    let (guide, depth, _) = try file.guide("w", matrix(16, 100))
    #expect(depth == (hasLAPACK ? .feedback : .weighted))
    #expect((guide?.feedback != nil) == hasLAPACK && guide?.importance.count == 100)
    // A matrix narrower than a block has one block of all its columns.
    let narrow = try self.file(5, TemporaryFolder())
    #expect(try narrow.guide("w", matrix(16, 5)).depth == depth)
  }

  @Test func lessMayBeWanted() throws {
    let folder = TemporaryFolder()
    let file = try file(100, folder)
    let (guide, depth, _) = try file.guide("w", matrix(16, 100), wanted: .weighted)
    #expect(depth == .weighted && guide?.feedback == nil)
    #expect(try guide?.importance == counted(file))
    let (none, nothing, _) = try file.guide("w", matrix(16, 100), wanted: .none)
    #expect(none == nil && nothing == .none)
  }

  /// Other programs may write whole sums into the first row and zeros into the second, and leave moments out.
  @Test func sumsInOneRowWithoutMomentsWeighColumns() throws {
    let squares: [Double] = [4, 1, 0, 3]
    var made = HandMadeStatistics()
    made.parts = [
      made.parts[0], HandMadeStatistics.part("w/count", "I64", [1], bytes([7])),
      HandMadeStatistics.zeros("w/largest", "F32", [4]),
      HandMadeStatistics.part("w/squares", "F64", [2, 4], bytes(squares + [0, 0, 0, 0])),
    ]
    let folder = TemporaryFolder()
    let file = try StatisticsFile(path: folder.write(made.bytesOfFile, to: "s.safetensors"))
    let (guide, depth, _) = try file.guide("w", matrix(16, 4))
    #expect(depth == .weighted && guide?.feedback == nil)
    // A column that was never other than zero counts a little.
    #expect(guide?.importance == [2, 0.5, 1e-3, 1.5])
  }

  /// All taps of a kernel share its channels' statistics: one behind the other, or a channel's taps side by side.
  @Test func kernelsTakeTheStatisticsOfTheirChannels() throws {
    let (wide, few) = (try kernel(channels: 48), try kernel(channels: 8))
    #expect(wide.order == .tapMajor && few.order == .source)
    let file = try file(48, TemporaryFolder())
    let (guide, depth, _) = try file.guide("w", wide)
    #expect(depth == (hasLAPACK ? .feedback : .weighted))
    let importance = try #require(guide).importance
    #expect(importance.count == 9 * 48)
    for tap in 1..<9 { #expect(importance[tap * 48..<(tap + 1) * 48].elementsEqual(importance[..<48]), "tap \(tap)") }
    let narrow = try self.file(8, TemporaryFolder())
    let (beside, reached, _) = try narrow.guide("w", few)
    #expect(reached == .weighted && beside?.feedback == nil)
    #expect(try beside?.importance == counted(narrow).flatMap { Array(repeating: $0, count: 9) })
  }

  /// Moments that no damping makes definite leave the squares.
  @Test func indefiniteMomentsWeighColumns() throws {
    var made = HandMadeStatistics()
    made.parts = [
      made.parts[0], HandMadeStatistics.part("w/count", "I64", [1], bytes([7])),
      HandMadeStatistics.zeros("w/largest", "F32", [2]),
      HandMadeStatistics.part("w/squares", "F64", [2, 2], bytes([1.0, 1, 0, 0])),
      HandMadeStatistics.part("w/moments.0", "F64", [2, 3], bytes([1.0, 3, 1, 0, 0, 0])),
    ]
    let folder = TemporaryFolder()
    let file = try StatisticsFile(path: folder.write(made.bytesOfFile, to: "s.safetensors"))
    let (guide, depth, _) = try file.guide("w", matrix(16, 2))
    #expect(depth == .weighted && guide?.importance == [1, 1])
  }

  @Test func whatWasNeverSeenGuidesNothing() throws {
    let file = try file(40, TemporaryFolder())
    let (guide, depth, _) = try file.guide("other", matrix(16, 40))
    #expect(guide == nil && depth == .none && !file.hasSeen("other") && file.hasSeen("w"))
    // Counted, but without a row.
    var made = HandMadeStatistics()
    made = made.replacing("w/count", by: HandMadeStatistics.zeros("w/count", "I64", [1]))
    let folder = TemporaryFolder()
    let empty = try StatisticsFile(path: folder.write(made.bytesOfFile, to: "s.safetensors"))
    let (none, reached, _) = try empty.guide("w", matrix(16, 40))
    #expect(none == nil && reached == .none && !empty.hasSeen("w"))
    // Zeros alone say nothing either.
    let zeros = try StatisticsFile(path: folder.write(HandMadeStatistics().bytesOfFile, to: "z.safetensors"))
    #expect(try zeros.guide("w", matrix(16, 40), wanted: .weighted).depth == .none)
  }

  @Test func theWidthOfAnotherMatrixIsTold() throws {
    let file = try file(48, TemporaryFolder())
    for (shape, columns) in [(matrix(16, 64), 64), (try kernel(channels: 8), 8)] {
      let error = StatisticsError.otherWidth(path: file.path, name: "w", expected: columns, found: 48)
      #expect(throws: error) { try file.guide("w", shape) }
      #expect(throws: error) { try OutputMeter(file, "w", shape) }
    }
  }
}

import Foundation
import Synchronization
import Tensors
import Testing
import TestSupport

@Suite struct TensorInfoTests {
  @Test(arguments: DType.allCases) func dtypeCodesAreReversible(dtype: DType) {
    #expect(DType(code: dtype.code) == dtype)
    #expect(DType(rawValue: dtype.name) == dtype)
  }

  @Test func unknownDTypeCodesAreRefused() {
    #expect(DType(code: 0) == nil)
    #expect(DType(code: 23) == nil)
  }

  @Test func sizesAreExact() {
    #expect(TensorInfo(name: "a", dtype: .f32, shape: [])?.byteCount == 4)
    #expect(TensorInfo(name: "a", dtype: .f4, shape: [3, 2])?.byteCount == 3)
    #expect(TensorInfo(name: "a", dtype: .f6E2M3, shape: [4])?.byteCount == 3)
    #expect(TensorInfo(name: "a", dtype: .bf16, shape: [1280, 3, 2, 14, 14])?.byteCount == 3_010_560)
    #expect(TensorInfo(name: "a", dtype: .f32, shape: [5, 0, 7])?.byteCount == 0)
  }

  @Test func overflowingAndPartialSizesAreRefused() {
    #expect(TensorInfo(name: "a", dtype: .f4, shape: [3]) == nil)
    #expect(TensorInfo(name: "a", dtype: .f64, shape: [1 << 58, 4]) == nil)
    #expect(TensorInfo(name: "a", dtype: .u8, shape: [1 << 32, 1 << 32]) == nil)
    // A dimension of zero does not excuse an overflow beside it.
    #expect(TensorInfo(name: "a", dtype: .u8, shape: [0, 1 << 40, 1 << 40]) == nil)
    #expect(TensorInfo(name: "a", dtype: .u8, shape: [-1]) == nil)
  }

  @Test func namesCompareByBytes() {
    #expect(TensorName("\u{E9}") != TensorName("e\u{301}"))
    #expect(TensorName("A") < TensorName("a"))
  }

  @Test func namesAreTextAsItIs() {
    #expect("\(TensorName("a\u{1B}[2Jb\u{202E}c\n"))" == "a\u{1B}[2Jb\u{202E}c\n")
    #expect("\(TensorName(utf8: [0x61, 0xFF, 0x62]))" == "a\u{FFFD}b")
  }
}

@Suite struct TileLayoutTests {
  static let layouts: [TileLayout] = [
    TileLayout(elementBits: 8, tileRows: 16, tileColumns: 32, turnColumns: 4)!,
    TileLayout(elementBits: 8, tileRows: 16, tileColumns: 32, turnColumns: 4, tileScaleByteCount: 32)!,
    TileLayout(elementBits: 4, tileRows: 16, tileColumns: 32, turnColumns: 8, nibbleOrder: .halves)!,
    TileLayout(
      elementBits: 4, tileRows: 8, tileColumns: 64, turnColumns: 2, nibbleOrder: .pairs, tileScaleByteCount: 6)!,
    TileLayout(elementBits: 16, tileRows: 16, tileColumns: 2, turnColumns: 2)!,
    TileLayout(elementBits: 32, tileRows: 3, tileColumns: 5, turnColumns: 1)!,
    TileLayout(elementBits: 64, tileRows: 1, tileColumns: 1, turnColumns: 1)!,
  ]

  @Test(arguments: layouts) func anyMatrixComesBackByteForByte(layout: TileLayout) throws {
    var generator = SeededGenerator(2)
    for rows in [1, 2, 15, 16, 17, 40] {
      for columns in [1, 2, 7, 31, 32, 33, 100] {
        try comesBack(layout, MatrixShape(rows: rows, columns: columns), &generator)
      }
    }
  }

  private func comesBack(_ layout: TileLayout, _ shape: MatrixShape, _ generator: inout SeededGenerator) throws {
    let count = shape.rows * shape.columns
    var plain = generator.bytes((count * layout.elementBits + 7) / 8)
    if layout.elementBits == 4 && count % 2 == 1 { plain[plain.count - 1] &= 15 }
    var plane = [UInt8](repeating: 0, count: try #require(layout.planeByteCount(shape)))
    var back = [UInt8](repeating: 0, count: plain.count)
    let original = plain
    plane.withUnsafeMutableBytes { plane in
      plain.withUnsafeMutableBytes {
        layout.copy(rowRange: 0..<shape.rows, shape: shape, plane: plane, plain: $0, toPlain: false)
      }
      back.withUnsafeMutableBytes {
        layout.copy(rowRange: 0..<shape.rows, shape: shape, plane: plane, plain: $0, toPlain: true)
      }
    }
    #expect(back == original, "\(shape)")
  }

  private func segmented(_ base: TileLayout, _ order: TileLayout.ColumnOrder, _ columns: Int) throws -> TileLayout {
    try #require(
      TileLayout(
        elementBits: base.elementBits, tileRows: base.tileRows, tileColumns: base.tileColumns,
        turnColumns: base.turnColumns, nibbleOrder: base.nibbleOrder, tileScaleByteCount: base.tileScaleByteCount,
        columnOrder: order, segmentColumns: columns))
  }

  @Test(arguments: layouts, [3, 32, 37]) func kernelsComeBackFromAnyOrder(base: TileLayout, channels: Int) throws {
    var generator = SeededGenerator(3)
    for (order, segment) in [(TileLayout.ColumnOrder.source, channels), (.tapMajor, channels), (.tapMajor, 0)] {
      let layout = try segmented(base, order, segment)
      let shape = MatrixShape(rows: 18, columns: channels * 6, taps: 6)
      #expect(layout.fits(shape))
      try comesBack(layout, shape, &generator)
    }
  }

  /// Tap after tap, each in tiles of its own: channel 33 of tap 2 is in the second tile of the third segment.
  @Test func tapsHaveTilesOfTheirOwn() throws {
    let layout = try segmented(Self.layouts[0], .tapMajor, 40)
    let shape = MatrixShape(rows: 20, columns: 40 * 9, taps: 9)
    #expect(layout.tilesAcross(columns: 360) == 18)
    #expect(layout.position(row: 17, column: 33 * 9 + 2, in: shape).byteOffset == (18 + 2 * 2 + 1) * 512 + 1 * 4 + 1)
    #expect(!layout.fits(MatrixShape(rows: 20, columns: 360)))
    #expect(!layout.fits(MatrixShape(rows: 20, columns: 369, taps: 9)))
  }

  @Test func noTwoElementsShareAPlace() {
    for layout in Self.layouts {
      var seen: Set<Int> = []
      let shape = MatrixShape(rows: 33, columns: 70)
      for row in 0..<33 {
        for column in 0..<70 {
          let (offset, shift) = layout.position(row: row, column: column, in: shape)
          #expect(seen.insert(offset * 8 + shift).inserted)
          #expect(offset + layout.elementBits / 8 <= layout.planeByteCount(shape)!)
        }
      }
    }
  }

  @Test func aLineHoldsFourColumnsOfSixteenRows() {
    let layout = Self.layouts[0]
    let shape = MatrixShape(rows: 32, columns: 64)
    // Row 5, column 6: second turn, row 5, third column of the turn.
    #expect(layout.position(row: 5, column: 6, in: shape).byteOffset == 64 + 5 * 4 + 2)
    #expect(layout.position(row: 16, column: 32, in: shape).byteOffset == 3 * 512)
  }

  /// Two rows and turns of four columns: eight turns of eight elements. At 3 bits four turns share each of 16 bytes, and a
  /// byte for each turn follows; at 5 bits two turns share each of 32 bytes.
  @Test func elementsOfThreeAndFiveBitsLieInSlices() throws {
    let (three, five) = (
      try #require(TileLayout(elementBits: 3, tileRows: 2, tileColumns: 32, turnColumns: 4)),
      try #require(TileLayout(elementBits: 5, tileRows: 2, tileColumns: 32, turnColumns: 4))
    )
    let shape = MatrixShape(rows: 4, columns: 64)
    #expect(three.tileByteCount == 24 && five.tileByteCount == 40)
    #expect(three.planeByteCount(shape) == 96 && five.planeByteCount(shape) == 160)
    func slices(_ layout: TileLayout, _ row: Int, _ column: Int) -> [[Int]] {
      layout.slices(row: row, column: column, in: shape).map { [$0.byteOffset, $0.shift, $0.bits] }
    }
    #expect(slices(three, 0, 0) == [[0, 0, 2], [16, 0, 1]])
    #expect(slices(five, 0, 0) == [[0, 0, 4], [32, 0, 1]])
    // Row 1, column 13: turn 3, of which it is element 5.
    #expect(slices(three, 1, 13) == [[5, 6, 2], [16 + 3, 5, 1]])
    #expect(slices(five, 1, 13) == [[8 + 5, 4, 4], [32 + 3, 5, 1]])
    // The last element of the first tile.
    #expect(slices(three, 1, 31) == [[15, 6, 2], [23, 7, 1]])
    #expect(slices(five, 1, 31) == [[31, 4, 4], [39, 7, 1]])
    // Row 3, column 40: the fourth tile, turn 2, element 4.
    #expect(slices(three, 3, 40) == [[72 + 4, 4, 2], [72 + 16 + 2, 4, 1]])
    #expect(slices(five, 3, 40) == [[120 + 8 + 4, 0, 4], [120 + 32 + 2, 4, 1]])
  }

  /// No two elements share a bit, and together they fill the elements of their tiles.
  @Test(arguments: [3, 5], [(16, 4), (2, 4), (1, 8), (8, 1), (24, 2)]) func slicesFillTheirTiles(
    bits: Int, tile: (rows: Int, turn: Int)
  ) throws {
    for (order, taps, scales) in [(TileLayout.ColumnOrder.source, 1, 0), (.source, 1, 6), (.tapMajor, 3, 0)] {
      let columns = 16 * tile.turn * taps
      let layout = try #require(
        TileLayout(
          elementBits: bits, tileRows: tile.rows, tileColumns: 8 * tile.turn, turnColumns: tile.turn,
          tileScaleByteCount: scales, columnOrder: order, segmentColumns: taps == 1 ? 0 : columns / taps))
      let shape = MatrixShape(rows: 2 * tile.rows, columns: columns, taps: taps)
      #expect(layout.fits(shape) && layout.isSliced)
      var seen: Set<Int> = []
      for row in 0..<shape.rows {
        for column in 0..<columns {
          let slices = layout.slices(row: row, column: column, in: shape)
          #expect(slices.reduce(0) { $0 + $1.bits } == bits)
          for slice in slices {
            #expect(slice.byteOffset % layout.tileByteCount < layout.tileElementByteCount)
            #expect(slice.shift + slice.bits <= 8)
            for bit in 0..<slice.bits { #expect(seen.insert(slice.byteOffset * 8 + slice.shift + bit).inserted) }
          }
        }
      }
      let tiles = 4 * taps
      #expect(layout.planeByteCount(shape) == tiles * layout.tileByteCount)
      #expect(seen.count == tiles * layout.tileElementByteCount * 8)
      #expect(seen.allSatisfy { (0..<tiles * layout.tileByteCount * 8).contains($0) })
    }
  }

  @Test func tilesThatSlicesDoNotFillAreRefused() {
    for bits in [3, 5, 6] {
      #expect(TileLayout(elementBits: bits, tileRows: 16, tileColumns: 32, turnColumns: 8) == nil)
      #expect(TileLayout(elementBits: bits, tileRows: 16, tileColumns: 16, turnColumns: 4) == nil)
      #expect(TileLayout(elementBits: bits, tileRows: 1, tileColumns: 32, turnColumns: 4) == nil)
      #expect(TileLayout(elementBits: bits, tileRows: 3, tileColumns: 8, turnColumns: 1) == nil)
    }
    for bits in [0, 1, 2, 7] {
      #expect(TileLayout(elementBits: bits, tileRows: 16, tileColumns: 32, turnColumns: 4) == nil)
    }
  }

  @Test func parametersOutOfRangeAreRefused() {
    #expect(TileLayout(elementBits: 5, tileRows: 1, tileColumns: 8, turnColumns: 8) == nil)
    #expect(TileLayout(elementBits: 8, tileRows: 0, tileColumns: 8, turnColumns: 8) == nil)
    #expect(TileLayout(elementBits: 8, tileRows: 1, tileColumns: 8, turnColumns: 3) == nil)
    #expect(TileLayout(elementBits: 4, tileRows: 1, tileColumns: 8, turnColumns: 1) == nil)
    #expect(TileLayout(elementBits: 8, tileRows: 1, tileColumns: 5000, turnColumns: 1) == nil)
  }
}

@Suite struct FileTests {
  @Test func onlyRegularFilesAreRead() throws {
    let folder = TemporaryFolder()
    #expect(throws: FileError.notRegular(path: folder.path, kind: "a folder")) { try ReadableFile(path: folder.path) }
    #expect(throws: FileError.notRegular(path: "/dev/zero", kind: "a device")) { try ReadableFile(path: "/dev/zero") }
    #expect(throws: FileError.self) { try ReadableFile(path: folder["absent"]) }
    mkfifo(folder["pipe"], 0o600)
    #expect(throws: FileError.notRegular(path: folder["pipe"], kind: "a named pipe")) {
      try ReadableFile(path: folder["pipe"])
    }
    symlink("loop", folder["loop"])
    #expect(throws: FileError.self) { try ReadableFile(path: folder["loop"]) }
  }

  @Test func aFileThatShrinksIsAnError() throws {
    let folder = TemporaryFolder()
    let file = try ReadableFile(path: folder.write([1, 2, 3, 4], to: "f"))
    truncate(folder["f"], 2)
    #expect(throws: FileError.shrank(path: folder["f"], offset: 2, expectedByteCount: 4)) {
      try file.bytes(at: 0, count: 4)
    }
  }

  @Test func aMappedFileThatShrinksIsTornAndNoSignal() throws {
    let folder = TemporaryFolder()
    let mapping = try MappedFile(ReadableFile(path: folder.write([UInt8](repeating: 7, count: 100_000), to: "f")))
    #expect(mapping.bytes(at: 99_999, count: 1)[0] == 7)
    #expect(!mapping.isTorn)
    truncate(folder["f"], 10)
    // The first page is still the file's; behind it there is nothing.
    #expect(mapping.bytes(at: 50_000, count: 1)[0] == 0)
    #expect(mapping.isTorn)
    let empty = try MappedFile(ReadableFile(path: folder.write([UInt8](), to: "empty")))
    #expect(empty.bytes(at: 0, count: 0).isEmpty)
  }

  /// Each mapping is guarded, however many there are.
  @Test func manyFilesAreMappedAtOnce() throws {
    let folder = TemporaryFolder()
    let mappings = try (0..<700).map { number in
      try MappedFile(
        ReadableFile(path: folder.write([UInt8](repeating: UInt8(number & 255), count: 5000), to: "f\(number)")))
    }
    for (number, mapping) in mappings.enumerated() {
      #expect(mapping.bytes(at: 4999, count: 1)[0] == UInt8(number & 255))
    }
    truncate(folder["f650"], 10)
    #expect(mappings[650].bytes(at: 4999, count: 1)[0] == 0)
    truncate(folder["f3"], 0)
    #expect(mappings[3].bytes(at: 4999, count: 1)[0] == 0)
    #expect(mappings.enumerated().filter { $1.isTorn }.map(\.offset) == [3, 650])
  }

  @Test func anOutputAppearsOnlyWhenItIsWhole() throws {
    let folder = TemporaryFolder()
    folder.write("old", to: "out")
    let output = try AtomicOutputFile(path: folder["out"])
    try output.write(Array("new and longer".utf8), at: 0)
    #expect(folder.bytes(of: "out") == Array("old".utf8))
    try output.commit(byteCount: 3)
    #expect(folder.bytes(of: "out") == Array("new".utf8))
    #expect(folder.names == ["out"])
  }

  @Test func aDiscardedOutputLeavesTheOldOne() throws {
    let folder = TemporaryFolder()
    folder.write("old", to: "out")
    try AtomicOutputFile(path: folder["out"]).discard()
    #expect(folder.names == ["out"])
    #expect(folder.bytes(of: "out") == Array("old".utf8))
  }

  /// No process has this number.
  private static let deadProcess = Int32.max

  @Test func leftoversOfDeadProcessesGoAndThoseOfLiveOnesStay() throws {
    let folder = TemporaryFolder()
    folder.write("dead", to: ".out.\(Self.deadProcess).partial")
    folder.write("just made by a live process", to: ".out.1.partial")
    folder.write("other", to: ".other.1.partial")
    let live = try AtomicOutputFile(path: folder["out"])
    let second = open(folder[".out.2.partial"], O_CREAT | O_RDWR, 0o600)
    flock(second, LOCK_EX)
    defer { close(second) }
    #expect(throws: FileError.self) { try AtomicOutputFile(path: folder["out"]) }  // this process has one already
    live.discard()
    try AtomicOutputFile(path: folder["out"]).commit(byteCount: 0)
    #expect(folder.names == [".other.1.partial", ".out.1.partial", ".out.2.partial", "out"])
  }

  /// A file that is an input without being open is spared, as long as it is that file: a number that the system gave on is another's.
  @Test func claimedFilesAreSparedWhileTheyStand() throws {
    let folder = TemporaryFolder()
    let path = folder.write("config", to: "config.json")
    link(path, folder["other"])
    let claimed = ClaimedFiles(paths: [path, path])
    for name in ["config.json", "other"] {
      #expect(throws: FileError.outputIsInput(path: folder[name])) { try AtomicOutputFile(path: folder[name]) }
    }
    unlink(path)
    #expect(throws: Never.self) { try AtomicOutputFile(path: folder["other"]).discard() }
    withExtendedLifetime(claimed) {}
  }

  @Test func outputsThatCannotBeAreRefusedBeforeWork() {
    let folder = TemporaryFolder()
    for path in [folder.path, "/dev/null", folder["absent/out"], folder.path + "/..", ""] {
      #expect(throws: FileError.self, "\(path)") { try AtomicOutputFile(path: path) }
    }
  }

  @Test func aFolderOfTheUsersIsNeverReplaced() throws {
    let folder = TemporaryFolder()
    folder.write("mine", to: "out/notes.txt")
    #expect(throws: FileError.self) { try AtomicOutputFolder(path: folder["out"]) }
    #expect(folder.bytes(of: "out/notes.txt") == Array("mine".utf8))
    // Ours is replaced, but not once something of the user's lies in it.
    for round in 0..<2 {
      let output = try AtomicOutputFolder(path: folder["ours"])
      try output.write([UInt8(round)], to: "a/b")
      try output.commit()
    }
    #expect(folder.bytes(of: "ours/a/b") == [1])
    folder.write("mine", to: "ours/extra")
    #expect(throws: FileError.self) { try AtomicOutputFolder(path: folder["ours"]) }
  }

  @Test func aLinkIsNeverTakenForTheOutputFolder() throws {
    let folder = TemporaryFolder()
    folder.write("mine", to: "real/thesis.txt")
    symlink("real", folder["out"])
    #expect(throws: FileError.self) { try AtomicOutputFolder(path: folder["out"]) }
    // A link that stands where a stale attempt would stand is not followed either.
    symlink("real", folder[".ours.1.partial"])
    let output = try AtomicOutputFolder(path: folder["ours"])
    try output.commit()
    #expect(folder.bytes(of: "real/thesis.txt") == Array("mine".utf8))
  }

  @Test func staleAttemptsOfAnyNameAreFound() throws {
    let folder = TemporaryFolder()
    folder.write("dead", to: ".模型.bantam.\(Self.deadProcess).partial")
    try AtomicOutputFile(path: folder["模型.bantam"]).commit(byteCount: 0)
    #expect(folder.names == ["模型.bantam"])
  }

  @Test func pathsFromFilesStayInside() throws {
    let folder = TemporaryFolder()
    let output = try AtomicOutputFolder(path: folder["out"])
    for path in ["../x", "/x", "a/../x", "a//b", "~x", "a\\b", "a\u{0}b", ""] {
      #expect(throws: FileError.self, "\(path)") { try output.place(for: path) }
    }
  }
}

@Suite struct PlainNameTests {
  @Test(arguments: ["a", "a.b", ".hidden", "a b", "é☃", "...", "a~", "-", "con", String(repeating: "n", count: 255)])
  func plainNamesArePaths(name: String) {
    #expect(Folder.isPlainName(name) && Folder.isPlainPath(name.utf8) && Folder.isPlainPath(("x/" + name + "/y").utf8))
  }

  @Test(arguments: [
    "", ".", "..", "~", "~a", "a\\b", "a\0", "a\n", "\u{7F}", "\u{85}", "\u{9F}a", String(repeating: "n", count: 256),
  ]) func namesThatCouldLeadElsewhereAreNot(name: String) {
    #expect(!Folder.isPlainName(name) && !Folder.isPlainPath(name.utf8) && !Folder.isPlainPath(("x/" + name).utf8))
    #expect(!Folder.isPlainPath((name + "/x").utf8))
  }

  @Test func pathsFromTheRootAndBrokenTextAreNot() {
    for path in ["/a", "a/", "a//b", "a/../b", "a/./b"] { #expect(!Folder.isPlainPath(path.utf8)) }
    #expect(!Folder.isPlainName("a/b") && Folder.isPlainPath("a/b".utf8))
    for bytes: [UInt8] in [[0xFF], [0x61, 0xC2], [0xC0, 0xAF], [0xED, 0xA0, 0x80]] {
      #expect(!Folder.isPlainPath(bytes))
    }
  }
}

@Suite struct WorkerTests {
  @Test(arguments: [1, 2, 7, 40]) func everyItemIsWorkedOnOnce(threads: Int) {
    let counts = (0..<1000).map { _ in Counter() }
    Workers.run(threadCount: threads, itemCount: counts.count) { worker, item in
      precondition((0..<threads).contains(worker))
      counts[item].add(1)
    }
    #expect(counts.allSatisfy { $0.value == 1 })
  }

  /// Work within work, and work from many threads at once, ends.
  @Test func workMayBeNestedAndCalledFromMany() async {
    await withTaskGroup(of: Int.self) { group in
      for _ in 0..<24 {
        group.addTask {
          let sum = Counter()
          for _ in 0..<20 {
            Workers.run(threadCount: 3, itemCount: 5) { _, outer in
              Workers.run(threadCount: 2, itemCount: 4) { _, inner in sum.add(outer * inner) }
            }
          }
          return sum.value
        }
      }
      for await sum in group { #expect(sum == 20 * (0 + 1 + 2 + 3 + 4) * (0 + 1 + 2 + 3)) }
    }
  }

  @Test func theErrorOfTheLowestItemIsThrown() {
    for _ in 0..<50 {
      #expect(throws: FileError.missing(path: "0", code: 0)) {
        try Workers.run(threadCount: 4, itemCount: 4) { (_, item) throws(FileError) in
          throw FileError.missing(path: "\(item)", code: 0)
        }
      }
    }
  }
}

/// A sum that many threads add to.
private final class Counter: Sendable {
  private let sum = Atomic<Int>(0)
  var value: Int { sum.load(ordering: .relaxed) }
  func add(_ number: Int) { sum.add(number, ordering: .relaxed) }
}

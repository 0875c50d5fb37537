import Encodings
import Kernels
import Tensors
import Testing
import TestSupport

extension EncodedValues {
  fileprivate init(_ values: [Float], rows: Int, columns: Int, _ encoding: BookEncoding) throws {
    try self.init(values, rows: rows, columns: columns, encoding as any Encoding)
  }

  private var bookEncoding: BookEncoding { encoding as! BookEncoding }

  /// Where the bits of the code of an element lie, the lowest first, by the layout alone.
  fileprivate func bitPlaces(row: Int, column: Int) -> [(byte: Int, bit: Int)] {
    let layout = bookEncoding.codeLayout(of: shape)
    if layout.isSliced {
      return layout.slices(row: row, column: column, in: shape.matrix).flatMap { slice in
        (0..<slice.bits).map { (slice.byteOffset, slice.shift + $0) }
      }
    }
    let (offset, shift) = layout.position(row: row, column: column, in: shape.matrix)
    return (0..<layout.elementBits).map { (offset, shift + $0) }
  }

  /// The group of a column of the source: tiles of 32 columns begin anew in each segment, and each has whole groups.
  private func group(of column: Int) -> Int {
    let layout = bookEncoding.codeLayout(of: shape)
    let (segment, place) = layout.place(of: column, in: shape.matrix).quotientAndRemainder(
      dividingBy: shape.segmentColumns)
    return segment * layout.tilesAlongSegment(columns: shape.columns) * (32 / bookEncoding.book.group)
      + place / bookEncoding.book.group
  }

  /// The values by the specification's formula and layouts alone.
  fileprivate func bookValuesBySpecification() -> [Float] {
    let book = bookEncoding.book
    let (codes, multiples, rowScales) = (bytes(0), bytes(1), bytes(2))
    let tiles = bookEncoding.codeLayout(of: shape).tilesAcross(columns: shape.columns)
    let groups = MatrixShape(rows: shape.rows, columns: tiles * (32 / book.group))
    let magnitudeBits = 7 - book.shifts.count.trailingZeroBitCount
    return (0..<shape.rows * shape.columns).map { index in
      let (row, column) = index.quotientAndRemainder(dividingBy: shape.columns)
      let code = bitPlaces(row: row, column: column).enumerated().reduce(0) {
        $0 + (Int(codes[$1.element.byte]) >> $1.element.bit & 1) << $1.offset
      }
      let place = BookEncoding.multipleLayout.position(row: row, column: group(of: column), in: groups)
      let byte = Int(multiples[place.byteOffset])
      let magnitude = byte & ((1 << magnitudeBits) - 1)
      let shift = Int(book.shifts[byte >> magnitudeBits & (book.shifts.count - 1)])
      let level = (book.bits == 8 ? code - 128 : Int(book.levels[code])) + shift
      let rowPlace = BookEncoding.rowLayout.position(
        row: row, column: 0, in: MatrixShape(rows: shape.rows, columns: 1))
      let stored = UInt32(rowScales[rowPlace.byteOffset]) << 16 | UInt32(rowScales[rowPlace.byteOffset + 1]) << 24
      return Float(bitPattern: stored) * Float((byte & 0x80 == 0 ? magnitude : -magnitude) * level)
    }
  }
}

@Suite struct BookEncodingTests {
  static let encodings = KnownEncodings.all.compactMap { $0 as? BookEncoding }

  @Test func sixBooksAreBuiltIn() {
    #expect(
      Self.encodings.map(\.name) == ["even8-g32", "book6-g32", "book5-g32", "book4-g16", "book4-g32", "book3-g32"])
    #expect(Self.encodings == [.even8, .book6, .book5, .book4Fine, .book4, .book3])
  }

  // MARK: Values

  @Test(arguments: encodings) func everyWidthDecodesByTheFormula(encoding: BookEncoding) throws {
    var generator = SeededGenerator(50)
    for columns in Array(1...96) + [127, 128, 129, 255, 256, 257, 300, 1176, 3420] {
      let rows = columns % 16 == 1 ? 18 : 3
      let coded = try EncodedValues(generator.normals(rows * columns), rows: rows, columns: columns, encoding)
      #expect(coded.decoded() == coded.bookValuesBySpecification(), "\(columns) columns")
    }
  }

  /// In tap-major order tiles begin anew in every tap, and values come back in the source's order.
  @Test(arguments: encodings, [32, 48, 320]) func kernelsAreStoredTapAfterTap(
    encoding: BookEncoding, channels: Int
  ) throws {
    var generator = SeededGenerator(UInt64(channels))
    let rows = channels == 320 ? 3 : 19
    let info = try #require(TensorInfo(name: "w", dtype: .bf16, shape: [rows, channels, 3, 3]))
    let shape = try #require(encoding.shape(forWriting: info))
    #expect(shape.order == .tapMajor)
    let values = generator.normals(rows * channels * 9)
    let coded = try EncodedValues(values, shape, encoding)
    let decoded = coded.decoded()
    #expect(decoded == coded.bookValuesBySpecification())
    // The values are those of their own elements, not of others.
    var difference = ValueDifference()
    values.withUnsafeBufferPointer { a in decoded.withUnsafeBufferPointer { difference.add(a, $0) } }
    #expect(difference.sqnrDecibels > 15)
    #expect(abs(coded.sums.sqnrDecibels - difference.sqnrDecibels) < 1e-9)
  }

  @Test(arguments: encodings) func theRecordedErrorsAreThoseOfTheDecodedValues(encoding: BookEncoding) throws {
    var generator = SeededGenerator(53)
    for size in [Float(1e-20), 1, 1e20] {
      let values = generator.normals(33 * 70).map { $0 * size }
      let coded = try EncodedValues(values, rows: 33, columns: 70, encoding)
      var difference = ValueDifference()
      values.withUnsafeBufferPointer { a in coded.decoded().withUnsafeBufferPointer { difference.add(a, $0) } }
      #expect(abs(coded.sums.sqnrDecibels - difference.sqnrDecibels) < 1e-9)
      #expect(abs(coded.sums.cosine - difference.cosine) < 1e-12)
      #expect(Float(coded.sums.largestError) == Float(difference.largestError))
    }
  }

  @Test(arguments: encodings, [1, 31, 32, 33, 100]) func panelsHoldWhatRowsDecodeTo(
    encoding: BookEncoding, columns: Int
  ) throws {
    var generator = SeededGenerator(UInt64(columns))
    let coded = try EncodedValues(generator.normals(50 * columns), rows: 50, columns: columns, encoding)
    try expectPanels(of: coded, hold: coded.bookValuesBySpecification())
  }

  // MARK: Quality

  static let goals: [(encoding: BookEncoding, decibels: Double, bits: Double)] = [
    (.book3, 16.5, 3.25), (.book4, 22.95, 4.25), (.book4Fine, 24.35, 4.5), (.book5, 28.95, 5.25), (.book6, 34.6, 6.25),
    (.even8, 46.0, 8.25),
  ]

  @Test(arguments: goals.indices) func allBitsCountedTheQualityIsThatOfTheGoals(number: Int) throws {
    let goal = Self.goals[number]
    var generator = SeededGenerator(52)
    let values = generator.boxMullerNormals(32 * 2048)
    let coded = try EncodedValues(values, rows: 32, columns: 2048, goal.encoding)
    #expect(coded.sums.sqnrDecibels >= goal.decibels, "\(goal.encoding.name)")
    // One bf16 a row is all that there is beside the codes and a byte a group.
    let bytes = (0..<3).reduce(0) { $0 + coded.bytes($1).count }
    #expect(Double(8 * bytes) / Double(values.count) == goal.bits + 16.0 / 2048)
  }

  /// A bf16 scale a row has the range of f32: what is small or large in itself loses nothing.
  @Test(arguments: encodings) func everySizeIsHeldAsWell(encoding: BookEncoding) throws {
    var generator = SeededGenerator(54)
    let normals = generator.boxMullerNormals(16 * 512)
    let expected = try EncodedValues(normals, rows: 16, columns: 512, encoding).sums.sqnrDecibels
    for exponent in -30...30 {
      let size = Float("1e\(exponent)")!
      let coded = try EncodedValues(normals.map { $0 * size }, rows: 16, columns: 512, encoding)
      #expect(abs(coded.sums.sqnrDecibels - expected) < 0.1, "1e\(exponent): \(coded.sums.sqnrDecibels)")
    }
  }

  // MARK: Rules

  @Test(arguments: encodings) func valuesThatAreNotFiniteCountAsStated(encoding: BookEncoding) throws {
    var generator = SeededGenerator(55)
    let (rows, columns) = (3, 70)
    var values = generator.normals(rows * columns)
    // The largest of a row lies in another tile than some infinities.
    values[40] = 50
    // A row whose last tile has nothing finite.
    for column in 64..<70 { values[columns + column] = column % 2 == 0 ? .infinity : .nan }
    for index in stride(from: 3, to: values.count, by: 13) { values[index] = [.nan, .infinity, -.infinity][index % 3] }
    var plain = values
    for row in 0..<rows {
      for first in stride(from: 0, to: columns, by: 32) {
        let tile = row * columns + first..<row * columns + min(first + 32, columns)
        let largest = values[tile].filter(\.isFinite).map(\.magnitude).max() ?? 0
        for index in tile where !values[index].isFinite {
          plain[index] = values[index].isNaN ? 0 : values[index] > 0 ? largest : -largest
        }
      }
    }
    let found = try EncodedValues(values, rows: rows, columns: columns, encoding)
    let expected = try EncodedValues(plain, rows: rows, columns: columns, encoding)
    for plane in 0..<3 { #expect(found.bytes(plane) == expected.bytes(plane)) }
    #expect(found.sums == expected.sums)
    #expect(found.decoded().allSatisfy { $0.isFinite })
  }

  @Test(arguments: encodings) func aRowOfZerosDecodesToZeros(encoding: BookEncoding) throws {
    var generator = SeededGenerator(56)
    var values = generator.normals(4 * 40)
    for column in 0..<40 {
      values[40 + column] = 0
      values[80 + column] = -0.0
      // Nothing finite in the whole row.
      values[120 + column] = column % 2 == 0 ? .nan : .infinity
    }
    let coded = try EncodedValues(values, rows: 4, columns: 40, encoding)
    let decoded = coded.decoded()
    #expect(decoded[40...].allSatisfy { $0 == 0 })
    #expect(decoded[..<40].contains { $0 != 0 })
    // A group of zeros in a row of others is zeros, too.
    for column in 0..<32 { values[column] = 0 }
    #expect(try EncodedValues(values, rows: 4, columns: 40, encoding).decoded()[..<32].allSatisfy { $0 == 0 })
  }

  /// At the end of f32's range levels of the book's ends would be infinite under a scale that suits the largest value.
  @Test(arguments: encodings) func theLargestValuesStayFinite(encoding: BookEncoding) throws {
    var generator = SeededGenerator(62)
    for size in [Float(0x1p126), 0x1p127, .greatestFiniteMagnitude] {
      for values in [
        [Float](repeating: size, count: 40), [Float](repeating: -size, count: 40),
        generator.normals(40).map { size * max(-1, min(1, $0)) },
      ] {
        let decoded = try EncodedValues(values, rows: 1, columns: 40, encoding).decoded()
        #expect(
          zip(values, decoded).allSatisfy {
            $1.isFinite && abs($1 / size - $0 / size) < (encoding.book.bits == 3 ? 0.5 : 0.3)
          })
      }
    }
  }

  /// A group far smaller than another of its row becomes zeros rather than the smallest step of the row.
  @Test(arguments: encodings, [Float(1e-2), 1e-3, 1e-4, 1e-6, 1e-30]) func noGroupIsWorseThanZeros(
    encoding: BookEncoding, size: Float
  ) throws {
    var generator = SeededGenerator(63)
    var values = generator.normals(16 * 96)
    for row in 0..<16 { for column in 32..<64 { values[row * 96 + column] *= size } }
    let decoded = try EncodedValues(values, rows: 16, columns: 96, encoding).decoded()
    for row in 0..<16 {
      let group = row * 96 + 32..<row * 96 + 64
      let source = group.reduce(0.0) { $0 + Double(values[$1]) * Double(values[$1]) }
      let error = group.reduce(0.0) { sum, index in
        let difference = Double(values[index]) - Double(decoded[index])
        return sum + difference * difference
      }
      #expect(error <= source * 1.0001, "row \(row): \(error) of \(source)")
    }
  }

  private func encoded(
    _ bytes: UnsafeRawBufferPointer, dtype: DType, rowStride: Int, rows: Int, columns: Int, fill: UInt8,
    _ encoding: BookEncoding
  ) throws -> (planes: [[UInt8]], sums: ErrorSums) {
    let shape = EncodedShape(MatrixShape(rows: rows, columns: columns), dtype: .f32)
    let planes = try #require(encoding.planes(of: shape)).map {
      let buffer = try AlignedBuffer(byteCount: $0.byteCount)
      buffer.bytes.initializeMemory(as: UInt8.self, repeating: fill)
      return buffer
    }
    var sums = ErrorSums()
    encoding.solver!.encode(
      bytes, dtype: dtype, rowStride: rowStride, rows: rows, columns: columns, segmentColumns: columns,
      guide: nil, into: planes.map(\.bytes), sums: &sums)
    return (planes.map { [UInt8](UnsafeRawBufferPointer($0.bytes)) }, sums)
  }

  /// Neither what the planes held before, nor what lies beside the columns, nor other rows matter.
  @Test(arguments: encodings) func planesDependOnNothingButTheInput(encoding: BookEncoding) throws {
    var generator = SeededGenerator(57)
    let (rows, columns, stride) = (11, 90, 97)
    var values = generator.normals(rows * stride)
    let first = try values.withUnsafeBytes {
      try encoded($0, dtype: .f32, rowStride: stride, rows: rows, columns: columns, fill: 0, encoding)
    }
    for row in 0..<rows { for column in columns..<stride { values[row * stride + column] = .nan } }
    let second = try values.withUnsafeBytes {
      try encoded($0, dtype: .f32, rowStride: stride, rows: rows, columns: columns, fill: 0xFF, encoding)
    }
    #expect(first.planes == second.planes)
    #expect(first.sums == second.sums)
    // A row alone has the values that it has among others.
    let used = (0..<rows).flatMap { values[$0 * stride..<$0 * stride + columns] }
    let together = try EncodedValues(used, rows: rows, columns: columns, encoding).decoded()
    for row in 0..<rows {
      let own = row * columns..<(row + 1) * columns
      let alone = try EncodedValues(Array(used[own]), rows: 1, columns: columns, encoding).decoded()
      #expect(alone == Array(together[own]), "row \(row)")
    }
  }

  @Test(arguments: encodings, [DType.f32, .f16, .bf16]) func everySourceTypeGivesTheCodesOfItsValues(
    encoding: BookEncoding, dtype: DType
  ) throws {
    var generator = SeededGenerator(58)
    let exact = generator.normals(16 * 64)
    var narrow = [UInt8](repeating: 0, count: 16 * 64 * dtype.bitWidth / 8)
    var widened = exact
    narrow.withUnsafeMutableBytes { ElementCast.narrow(count: exact.count, from: exact, to: $0.baseAddress!, dtype) }
    narrow.withUnsafeBytes { ElementCast.widen(count: exact.count, from: $0.baseAddress!, dtype, to: &widened) }
    let expected = try EncodedValues(widened, rows: 16, columns: 64, encoding)
    let found = try narrow.withUnsafeBytes {
      try encoded($0, dtype: dtype, rowStride: 64, rows: 16, columns: 64, fill: 0xEE, encoding)
    }
    #expect(found.planes == (0..<3).map(expected.bytes))
    #expect(found.sums == expected.sums)
  }

  @Test(arguments: encodings) func paddingIsZeroBits(encoding: BookEncoding) throws {
    var generator = SeededGenerator(59)
    let coded = try EncodedValues(generator.normals(5 * 40), rows: 5, columns: 40, encoding)
    var inside: Set<Int> = []
    for row in 0..<5 {
      for column in 0..<40 {
        for place in coded.bitPlaces(row: row, column: column) { inside.insert(place.byte * 8 + place.bit) }
      }
    }
    let codes = coded.bytes(0)
    #expect((0..<codes.count * 8).allSatisfy { inside.contains($0) || codes[$0 / 8] >> UInt8($0 % 8) & 1 == 0 })
    // Groups of two tiles; those that begin beyond the columns have no multiple.
    let (multiples, group) = (coded.bytes(1), encoding.book.group)
    for (place, byte) in multiples.enumerated() where place % 16 >= 5 || place / 16 * group >= 40 { #expect(byte == 0) }
    #expect(coded.bytes(2)[10...].allSatisfy { $0 == 0 })
  }

  /// What is far smaller than its neighbours is not rounded to something larger: activations may be large just there.
  @Test(arguments: encodings) func whatIsTinyBesideOthersBecomesZero(encoding: BookEncoding) throws {
    for shift in encoding.book.shifts where encoding.book.bits < 8 {
      #expect(encoding.book.levels.contains(-shift), "a shift of \(shift)")
    }
    var generator = SeededGenerator(56)
    var values = generator.boxMullerNormals(16 * 512)
    for index in stride(from: 0, to: values.count, by: 32) { values[index] *= 1e-4 }
    let decoded = try EncodedValues(values, rows: 16, columns: 512, encoding).decoded()
    for index in stride(from: 0, to: values.count, by: 32) { #expect(decoded[index] == 0) }
  }

  // MARK: Parameters

  @Test func parametersAreThoseOfTheFormat() {
    #expect(
      BookEncoding.book3.parameters
        == #"{"bits":3,"group":32,"levels":[-79,-51,-34,-17,0,19,41,74],"row":"BF16","shifts":[0,17,34,51]}"#)
    #expect(BookEncoding.even8.parameters == #"{"bits":8,"group":32,"levels":[],"row":"BF16","shifts":[0]}"#)
  }

  @Test(arguments: encodings) func namesAndParametersComeBack(encoding: BookEncoding) {
    #expect(KnownEncodings.named(encoding.name, parameters: encoding.parameters) as? BookEncoding == encoding)
  }

  /// A file may have levels and shifts of its own, which mean what they say.
  @Test(arguments: [
    ("book3-g32", 3, 32, [-127, -90, -50, -20, 5, 40, 80, 120], [0, 7]),
    ("book3-g16", 3, 16, [-7, -5, -3, -1, 1, 3, 5, 7], [0]),
    ("book4-g32", 4, 32, Array(-8...7), [-100, 0, 50, 120]),
    ("book5-g16", 5, 16, Array(-40..<(-8)), [0, 1, 2, 3]),
    ("even8-g16", 8, 16, [], [0]),
  ])
  func booksOfAFileAreItsOwn(name: String, bits: Int, group: Int, levels: [Int8], shifts: [Int8]) throws {
    let list = { (numbers: [Int8]) in numbers.map(String.init).joined(separator: ",") }
    let parameters =
      #"{"bits":\#(bits),"group":\#(group),"levels":[\#(list(levels))],"row":"BF16","shifts":[\#(list(shifts))]}"#
    let encoding = try #require(KnownEncodings.named(name, parameters: parameters) as? BookEncoding)
    #expect(encoding.name == name && encoding.parameters == parameters)
    #expect((encoding.book.bits, encoding.book.group) == (bits, group))
    #expect(encoding.book.levels == levels && encoding.book.shifts == shifts)
    #expect(!Self.encodings.contains(encoding))
    var generator = SeededGenerator(60)
    let coded = try EncodedValues(generator.normals(5 * 100), rows: 5, columns: 100, encoding)
    #expect(coded.decoded() == coded.bookValuesBySpecification())
  }

  /// Parameters with other members than those of the built-in book of 3 bits.
  private static func parameters(
    bits: String = "3", group: String = "32", levels: String = "-95,-62,-37,-15,8,31,60,103",
    shifts: String = "0,8,16,24"
  ) -> String {
    #"{"bits":\#(bits),"group":\#(group),"levels":[\#(levels)],"row":"BF16","shifts":[\#(shifts)]}"#
  }

  static let hostile: [String] = [
    // Counts.
    parameters(levels: ""), parameters(levels: "-95,-62,-37,-15,8,31,60"),
    parameters(levels: "-95,-62,-37,-15,8,31,60,103,104"), parameters(levels: "-95,-62,-37,-15"),
    parameters(shifts: ""), parameters(shifts: "0,8,16"), parameters(shifts: "0,1,2,3,4,5,6,7"),
    // Order.
    parameters(levels: "-95,-62,-37,8,-15,31,60,103"), parameters(levels: "-95,-62,-37,-15,8,31,103,60"),
    parameters(levels: "-95,-62,-37,-15,-15,31,60,103"), parameters(shifts: "8,0,16,24"),
    parameters(shifts: "0,8,8,24"),
    // Range: with the shifts, and alone.
    parameters(shifts: "0,8,16,25"), parameters(levels: "-127,-62,-37,-15,8,31,60,103", shifts: "-1,0"),
    parameters(levels: "-128,-62,-37,-15,8,31,60,103"), parameters(levels: "-128,-62,-37,-15,8,31,60,103", shifts: "1"),
    parameters(levels: "-95,-62,-37,-15,8,31,60,128"), parameters(levels: "-95,-62,-37,-15,8,31,60,359"),
    parameters(levels: "-1000000000000000000000,-62,-37,-15,8,31,60,103"), parameters(shifts: "0,8,16,128"),
    parameters(levels: "0,1,2,3,4,5,6,127", shifts: "-128"),
    // Numbers written in another way.
    parameters(levels: "-95,-62,-37,-15,08,31,60,103"), parameters(levels: "-95,-62,-37,-15,+8,31,60,103"),
    parameters(levels: "-95,-62,-37,-15,8.0,31,60,103"), parameters(levels: "-95,-62,-37,-15,8e0,31,60,103"),
    parameters(levels: "-95,-62,-37,-15,0x8,31,60,103"), parameters(levels: "-95,-62,-37,-15,\u{0668},31,60,103"),
    parameters(levels: "-95,-62,-37,-15,,8,31,60,103"), parameters(levels: "-95,-62,-37,-15,8,31,60,103,"),
    parameters(levels: ",-95,-62,-37,-15,8,31,60,103"), parameters(levels: "-95,-62,-37,-15,null,31,60,103"),
    parameters(levels: "-95,-62,-37,-15,\"8\",31,60,103"), parameters(levels: "[-95,-62,-37,-15,8,31,60,103]"),
    parameters(shifts: "-0,8,16,24"), parameters(shifts: "00,8,16,24"), parameters(shifts: "+0,8,16,24"),
    // Spaces and ends.
    parameters(levels: "-95, -62,-37,-15,8,31,60,103"), " " + parameters(), parameters() + " ", parameters() + "\n",
    parameters().replacing(":", with: ": "), "\u{FEFF}" + parameters(), parameters() + "\0",
    parameters() + parameters(),
    parameters().replacing("]", with: "\u{301}]"),
    // Other members.
    parameters(bits: "4"), parameters(bits: "03"), parameters(bits: "5"), parameters(bits: "-3"), parameters(bits: ""),
    parameters(bits: "8", levels: "", shifts: "0"), parameters(group: "16"), parameters(group: "64"),
    parameters(group: "0"), parameters().replacing("BF16", with: "F16"),
    parameters().replacing("BF16", with: "bf16"), parameters().replacing("levels", with: "Levels"),
    parameters().replacing("}", with: #","x":1}"#), parameters().replacing("{", with: #"{"a":1,"#),
    #"{"group":32,"bits":3,"levels":[-79,-51,-34,-17,0,19,41,74],"row":"BF16","shifts":[0,17,34,51]}"#,
    #"{"bits":3,"group":32,"levels":[-95,-62,-37,-15,8,31,60,103],"shifts":[0,8,16,24],"row":"BF16"}"#,
    #"{"bits":3,"group":32,"shifts":[0,8,16,24],"levels":[-95,-62,-37,-15,8,31,60,103],"row":"BF16"}"#,
    "", "{}", "[]", "null", "\"levels\":[", "\"levels\":[]\"shifts\":[]", "\"shifts\":[\"levels\":[",
    // Much.
    parameters(levels: String(repeating: "1,", count: 1_000_000) + "1"),
    parameters(levels: String(repeating: ",", count: 2_000_000)),
    parameters(shifts: String(repeating: "9", count: 2_000_000)), String(repeating: "[", count: 2_000_000),
    String(repeating: "\"levels\":[", count: 200_000),
  ]

  @Test(arguments: hostile.indices) func parametersThatAreNotWrittenJustSoAreRefused(number: Int) {
    let parameters = Self.hostile[number]
    #expect(KnownEncodings.named("book3-g32", parameters: parameters) == nil, "\(parameters.prefix(200))")
  }

  @Test func partsOfParametersAreRefused() {
    let whole = BookEncoding.book3.parameters
    for count in 0..<whole.count {
      #expect(KnownEncodings.named("book3-g32", parameters: String(whole.prefix(count))) == nil)
      #expect(KnownEncodings.named("book3-g32", parameters: String(whole.suffix(count))) == nil)
    }
  }

  @Test(arguments: encodings) func parametersOfOneNameAreNotThoseOfAnother(encoding: BookEncoding) {
    let names =
      Self.encodings.map(\.name) + ["book3-g16", "book8-g32", "even3-g32", "book3", "even8", "plain", "", "BOOK3-G32"]
    for name in names where name != encoding.name {
      #expect(KnownEncodings.named(name, parameters: encoding.parameters) == nil, "\(name)")
    }
  }

  /// Whatever is read is written just so: a changed text is either refused, or one that a book of its own would have.
  @Test func changedParametersAreRefusedOrTheirOwn() {
    var generator = SeededGenerator(61)
    let whole = Array(BookEncoding.book3.parameters.utf8)
    for _ in 0..<3000 {
      guard let text = String(validating: generator.mutant(of: whole), as: UTF8.self) else { continue }
      for name in ["book3-g32", "book3-g16"] {
        guard let found = KnownEncodings.named(name, parameters: text) else { continue }
        #expect(found.name == name && Array(found.parameters.utf8) == Array(text.utf8))
      }
    }
  }
}

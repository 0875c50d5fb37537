import BantamArchive
import Documents
import Encodings
import JSONText
import Kernels
import Tensors

/// The book of a tensor's codes, and the scales of its groups and rows.
struct BookDescription {
  private let book: LevelBook
  private var shiftCounts: [Int]
  private var multiples = (least: Int.max, most: 0)
  private var rowScales = (least: Float.infinity, most: -Float.infinity)

  /// Nil for tensors in other encodings.
  init?(_ tensor: EncodedTensor) throws {
    guard let book = (tensor.encoding as? BookEncoding)?.book, tensor.info.elementCount > 0 else { return nil }
    self.book = book
    shiftCounts = [Int](repeating: 0, count: book.shifts.count)
    let groups = tensor.shape.groupCount(width: GroupTile.columns) * book.groupsOfTile
    let buffer = try AlignedBuffer(byteCount: max(groups, 2) * GroupTile.rows)
    for first in stride(from: 0, to: tensor.shape.rows, by: GroupTile.rows) {
      let rows = min(GroupTile.rows, tensor.shape.rows - first)
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(groups * GroupTile.rows)])
      try tensor.read(plane: 1, at: first * groups, into: bytes)
      for group in 0..<groups {
        for row in 0..<rows { add(buffer.bytes[group * GroupTile.rows + row]) }
      }
      let scales = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<(2 * GroupTile.rows)])
      try tensor.read(plane: 2, at: 2 * first, into: scales)
      for row in 0..<rows {
        let bits = scales.loadUnaligned(fromByteOffset: 2 * row, as: UInt16.self)
        let scale = Float(bitPattern: UInt32(UInt16(littleEndian: bits)) << 16)
        rowScales = (min(rowScales.least, scale), max(rowScales.most, scale))
      }
    }
  }

  private mutating func add(_ byte: UInt8) {
    let (multiple, shift) = book.multiple(byte)
    multiples = (min(multiples.least, abs(multiple)), max(multiples.most, abs(multiple)))
    if let index = book.shifts.firstIndex(of: Int8(shift)) { shiftCounts[index] += 1 }
  }

  var json: JSONValue {
    .members([
      "levels": .array(book.levels.map { .int(Int($0)) }), "shifts": .array(book.shifts.map { .int(Int($0)) }),
      "group_columns": .int(book.group), "shift_counts": .array(shiftCounts.map { .int($0) }),
      "least_multiple": .int(multiples.least), "largest_multiple": .int(multiples.most),
      "least_row_scale": .number(Double(rowScales.least)), "largest_row_scale": .number(Double(rowScales.most)),
    ])
  }

  var sentences: [String] {
    func list(_ numbers: [Int8]) -> String { numbers.map { "\($0)" }.joined(separator: ", ") }
    let levels = book.levels.isEmpty ? "levels: all integers from -128 to 127" : "levels: \(list(book.levels))"
    let shares = zip(book.shifts, shiftCounts).map { "\($0) in \($1)" }.joined(separator: ", ")
    return [levels]
      + (book.shifts.count > 1 ? ["shifts of groups of \(book.group): \(shares)"] : [])
      + [
        "multiples \(multiples.least) to \(multiples.most), row scales \(rowScales.least) to \(rowScales.most)"
      ]
  }

  /// What the bits of a group's byte are, the highest first.
  static func byte(of book: LevelBook) -> String {
    let shiftBits = book.shifts.count.trailingZeroBitCount
    return "sign, " + (shiftBits > 0 ? "\(shiftBits) bits of shift, " : "") + "\(7 - shiftBits) bits of multiple"
  }
}

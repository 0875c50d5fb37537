import CKernels

/// What codes mean: sorted integer levels, and shifts of which each group of weights takes one.
///
/// value = row scale x (multiple x (level[code] + shift)). At 8 bits level[code] is code - 128 and there is no shift. Format:
/// formats/bantam.md, section 9.
public struct LevelBook: Sendable, Hashable {
  /// 3, 4, 5, 6 or 8.
  public let bits: Int
  /// Columns of a group: 32 or 16.
  public let group: Int
  /// `2^bits`, ascending; none at 8 bits.
  public let levels: [Int8]
  /// One, two or four, ascending.
  public let shifts: [Int8]
  let raw: ck_book

  /// Fails for numbers that the format does not allow: levels with their shifts stay within -127...127.
  public init?(bits: Int, group: Int, levels: [Int8] = [], shifts: [Int8] = [0]) {
    func isAscending(_ numbers: [Int8]) -> Bool { zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 } }
    guard [3, 4, 5, 6, 8].contains(bits), group == 32 || group == 16, [1, 2, 4].contains(shifts.count),
      isAscending(levels), isAscending(shifts)
    else { return nil }
    if bits == 8 {
      guard levels.isEmpty, shifts == [0] else { return nil }
    } else {
      guard levels.count == 1 << bits, Int(levels[0]) + Int(shifts[0]) >= -127,
        Int(levels.last!) + Int(shifts.last!) <= 127, levels[0] > -128, shifts[0] > -128
      else { return nil }
    }
    self.bits = bits
    self.group = group
    self.levels = levels
    self.shifts = shifts
    var raw = ck_book()
    raw.bits = Int32(bits)
    raw.group = Int32(group)
    raw.shift_bits = Int32(shifts.count.trailingZeroBitCount)
    withUnsafeMutableBytes(of: &raw.shifts) { $0.copyBytes(from: shifts.map { UInt8(bitPattern: $0) }) }
    withUnsafeMutableBytes(of: &raw.levels) { $0.copyBytes(from: levels.map { UInt8(bitPattern: $0) }) }
    self.raw = raw
  }

  public static func == (a: LevelBook, b: LevelBook) -> Bool {
    a.bits == b.bits && a.group == b.group && a.levels == b.levels && a.shifts == b.shifts
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(bits)
    hasher.combine(group)
    hasher.combine(levels)
    hasher.combine(shifts)
  }

  /// Groups side by side in a tile.
  public var groupsOfTile: Int { GroupTile.columns / group }
  /// Bytes of the codes of a tile.
  public var codeByteCount: Int { GroupTile.codeByteCount(bits: bits) }
  /// Bytes of the multiples of a tile.
  public var multipleByteCount: Int { GroupTile.rows * groupsOfTile }
  /// The largest magnitude of a multiple.
  public var largestMultiple: Int { 127 >> shifts.count.trailingZeroBitCount }

  /// A byte of a group as its multiple and the shift.
  public func multiple(_ byte: UInt8) -> (multiple: Int, shift: Int) {
    let magnitude = Int(byte) & largestMultiple
    return (byte & 0x80 == 0 ? magnitude : -magnitude, Int(shifts[Int(byte & 0x7F) / (largestMultiple + 1)]))
  }
}

import CKernels

/// Codes with learned levels by the formula: value = row scale x (multiple x (level + shift)).
struct BookTwin: Sendable {
  let bits: Int
  /// Columns that share a byte: its sign, which shift, the magnitude of the multiple.
  let group: Int
  /// What each code means; at 8 bits all integers from -128 on.
  let levels: [Int]
  let shifts: [Int]

  init(bits: Int, group: Int, levels: [Int] = Array(-128...127), shifts: [Int] = [0]) {
    (self.bits, self.group, self.levels, self.shifts) = (bits, group, levels, shifts)
  }

  var groupsOfTile: Int { 32 / group }
  var codeByteCount: Int { 64 * bits }
  var largestMultiple: Int { 128 / shifts.count - 1 }

  /// The largest magnitude of a level with its shift.
  var end: Int { max(abs(levels.first! + shifts.first!), abs(levels.last! + shifts.last!)) }

  func multiple(_ byte: UInt8) -> Int {
    let magnitude = Int(byte) % (largestMultiple + 1)
    return byte < 128 ? magnitude : -magnitude
  }

  func shift(_ byte: UInt8) -> Int { shifts[Int(byte) % 128 / (largestMultiple + 1)] }

  /// As the C functions have it. At 8 bits they need no levels, and what stands there is not used.
  var raw: ck_book {
    var raw = ck_book()
    (raw.bits, raw.group, raw.shift_bits) = (Int32(bits), Int32(group), Int32(shifts.count / 2))
    let unused = [UInt8](repeating: 0x55, count: 64)
    let stored = bits == 8 ? [] : levels.map { UInt8(truncatingIfNeeded: $0) }
    withUnsafeMutableBytes(of: &raw.levels) { $0.copyBytes(from: stored + unused.dropFirst(stored.count)) }
    withUnsafeMutableBytes(of: &raw.shifts) { $0.copyBytes(from: shifts.map { UInt8(truncatingIfNeeded: $0) }) }
    return raw
  }
}

/// The bytes of every token, one after another.
struct TokenTexts: Sendable, Equatable {
  /// `count + 1` places in `bytes`.
  let offsets: [UInt32]
  let bytes: [UInt8]

  init(_ texts: [[UInt8]]) {
    var offsets: [UInt32] = [0]
    offsets.reserveCapacity(texts.count + 1)
    var bytes: [UInt8] = []
    for text in texts {
      bytes += text
      offsets.append(UInt32(bytes.count))
    }
    self.offsets = offsets
    self.bytes = bytes
  }

  /// Nil where the places do not ascend through the bytes.
  init?(offsets: [UInt32], bytes: [UInt8]) {
    guard offsets.first == 0, offsets.last.map(Int.init) == bytes.count else { return nil }
    var last: UInt32 = 0
    for offset in offsets {
      guard offset >= last else { return nil }
      last = offset
    }
    self.offsets = offsets
    self.bytes = bytes
  }

  var count: Int { offsets.count - 1 }

  subscript(id: Int) -> ArraySlice<UInt8> { bytes[Int(offsets[id])..<Int(offsets[id + 1])] }
}

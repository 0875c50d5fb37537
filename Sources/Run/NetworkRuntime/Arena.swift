import Tensors

/// Memory for activations: taken and given back by first fit, in one run of bytes whose size a plan has found.
///
/// A planning arena hands out addresses that must not be touched and only finds the size.
public final class Arena {
  private struct Gap {
    var offset: Int
    var byteCount: Int
  }

  /// Null while planning.
  private let memory: AlignedBuffer?
  private let capacity: Int
  private var gaps: [Gap]
  /// The highest number of bytes in use so far, counted from the start.
  public private(set) var peakByteCount = 0

  /// A planning arena.
  init() {
    memory = nil
    capacity = 1 << 60
    gaps = [Gap(offset: 0, byteCount: capacity)]
    gaps.reserveCapacity(64)
  }

  /// - Throws: ``FileError/outOfMemory(byteCount:)``.
  init(byteCount: Int) throws(FileError) {
    memory = try AlignedBuffer(byteCount: byteCount)
    capacity = byteCount
    gaps = [Gap(offset: 0, byteCount: byteCount)]
    gaps.reserveCapacity(64)
  }

  /// Whether everything was given back.
  var isEmpty: Bool { gaps.count == 1 && gaps[0].byteCount == capacity }

  private var base: UnsafeMutableRawPointer {
    memory?.bytes.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 4096)!
  }

  private static func rounded(_ count: Int) -> Int { (count * 4 + 63) / 64 * 64 }

  /// Takes memory for `count` values; its content is whatever was there.
  /// - Precondition: the plan foresaw it.
  func take(_ count: Int) -> UnsafeMutablePointer<Float> {
    let needed = max(64, Self.rounded(count))
    guard let index = gaps.firstIndex(where: { $0.byteCount >= needed }) else {
      preconditionFailure("the arena of \(capacity) bytes is smaller than planned for")
    }
    let offset = gaps[index].offset
    gaps[index].offset += needed
    gaps[index].byteCount -= needed
    if gaps[index].byteCount == 0 { gaps.remove(at: index) }
    peakByteCount = max(peakByteCount, offset + needed)
    return (base + offset).assumingMemoryBound(to: Float.self)
  }

  /// Gives memory back.
  func give(_ pointer: UnsafeMutablePointer<Float>, _ count: Int) {
    let offset = UnsafeMutableRawPointer(pointer) - base
    let byteCount = max(64, Self.rounded(count))
    let after = gaps.firstIndex { $0.offset > offset } ?? gaps.count
    let joinsNext = after < gaps.count && offset + byteCount == gaps[after].offset
    if after > 0, gaps[after - 1].offset + gaps[after - 1].byteCount == offset {
      gaps[after - 1].byteCount += byteCount
      if joinsNext {
        gaps[after - 1].byteCount += gaps[after].byteCount
        gaps.remove(at: after)
      }
    } else if joinsNext {
      gaps[after].offset = offset
      gaps[after].byteCount += byteCount
    } else {
      gaps.insert(Gap(offset: offset, byteCount: byteCount), at: after)
    }
  }
}

/// Memory of one worker, handed out from the front. A function that takes from its own copy gives back what it took when it ends.
public struct Scratch {
  /// Every piece starts at such a boundary.
  public static let alignment = 64

  private var free: UnsafeMutableRawBufferPointer

  /// - Precondition: the memory is aligned to ``alignment``.
  public init(_ memory: UnsafeMutableRawBufferPointer) {
    precondition(Int(bitPattern: memory.baseAddress) % Self.alignment == 0)
    free = memory
  }

  /// Bytes that are left.
  public var byteCount: Int { free.count }

  /// Room for `count` elements, not initialized.
  /// - Precondition: there is room: callers size their pieces by ``byteCount(_:_:)``.
  public mutating func take<Element: BitwiseCopyable>(
    _ type: Element.Type, _ count: Int
  ) -> UnsafeMutablePointer<Element> {
    let size = Self.byteCount(type, count)
    precondition(count >= 0 && size <= free.count, "a worker's memory is too small")
    let taken = free.baseAddress!.bindMemory(to: type, capacity: count)
    free = UnsafeMutableRawBufferPointer(rebasing: free[size...])
    return taken
  }

  /// Bytes that so many elements take.
  public static func byteCount<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> Int {
    (count * MemoryLayout<Element>.stride + alignment - 1) / alignment * alignment
  }
}

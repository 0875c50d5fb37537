import Tensors

/// What a plane holds. The numbers stand in files (formats/bantam.md, section 5) and are never used again.
public enum PlaneKind: Int, Sendable {
  case values = 1
  case codes = 2
  case scales = 3
  case codebook = 4
  case rowScales = 5
}

/// How the elements of a plane lie.
public enum PlaneLayout: Sendable, Hashable {
  case rowMajor
  case tiled(TileLayout)
  /// A kind of a later version, kept as it was read.
  case unknown(kind: Int)
}

/// A run of bytes that belongs to a tensor: what it holds, how, and how much.
public struct PlaneShape: Sendable, Hashable {
  /// Nil for a kind of a later version.
  public let kind: PlaneKind?
  public let layout: PlaneLayout
  public let byteCount: Int

  public init(kind: PlaneKind?, layout: PlaneLayout, byteCount: Int) {
    self.kind = kind
    self.layout = layout
    self.byteCount = byteCount
  }
}

/// Why the planes of a tensor cannot be read as those of its encoding.
public enum PlaneProblem: PlacelessError, Equatable {
  /// Their number, a kind, or the tensor's dtype is not that of the encoding.
  case notOfEncoding
  /// A layout that the encoding is not known to have: the tensor is listed and not read.
  case unknownLayout
  /// A layout that no matrix of this shape can have.
  case badLayout(plane: Int)
  case size(plane: Int, expected: Int, found: Int)

  public func report(at place: String) -> ErrorReport {
    let bad = BadData(at: place)
    switch self {
    case .notOfEncoding: return bad("the planes are not those of the encoding")
    case .unknownLayout: return bad("a plane has a layout that the encoding is not known to have")
    case .badLayout(let plane): return bad("plane \(plane) has a layout that no matrix of this shape can have")
    case .size(let plane, let expected, let found):
      return bad("plane \(plane) does not fit the shape", "\(expected) bytes", "\(found)")
    }
  }
}

/// The bytes of the planes of a matrix, or of a piece of one: at most four.
public struct PlaneBytes: @unchecked Sendable {
  // Unchecked: bytes that nobody writes, valid as long as their owner lives.
  private var buffers = InlineArray<4, UnsafeRawBufferPointer>(repeating: .init(start: nil, count: 0))
  public let count: Int

  public init(_ planes: some Collection<UnsafeRawBufferPointer>) {
    precondition(planes.count <= 4)
    count = planes.count
    for (number, plane) in planes.enumerated() { buffers[number] = plane }
  }

  public subscript(_ plane: Int) -> UnsafeRawBufferPointer {
    get { buffers[plane] }
    set { buffers[plane] = newValue }
  }

  public var byteCount: Int { (0..<count).reduce(0) { $0 + buffers[$1].count } }
}

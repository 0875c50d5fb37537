import Tensors

/// Steps between a tensor's elements along its dimensions, counted in elements.
public struct Strides: Sendable, Equatable {
  public let shape: [Int]
  public let steps: [Int]

  init(shape: [Int], steps: [Int]) {
    self.shape = shape
    self.steps = steps
  }

  /// Whether the elements lie one after another. Steps along dimensions of one element do not matter, and none does where there is
  /// no element.
  public var isContiguous: Bool {
    guard !shape.contains(0) else { return true }
    var expected = 1
    for (size, step) in zip(shape, steps).reversed() where size != 1 {
      guard step == expected else { return false }
      expected *= size
    }
    return true
  }

  /// Elements of a row: the last dimension.
  public var columnCount: Int { shape.last ?? 1 }
  public var columnStep: Int { steps.last ?? 1 }
  /// All dimensions but the last, as one.
  public var rowCount: Int { shape.contains(0) ? 0 : shape.dropLast().reduce(1, *) }

  /// Where a row starts, from the first element.
  public func start(ofRow row: Int) -> Int {
    var (place, rest) = (0, row)
    for (size, step) in zip(shape, steps).dropLast().reversed() {
      place += rest % size * step
      rest /= size
    }
    return place
  }

  /// From the first element to behind the last. There must be one.
  var reach: Int { zip(shape, steps).reduce(1) { $0 + ($1.0 - 1) * $1.1 } }
}

/// How the elements of a tensor lie in a storage, which other tensors may look at too.
public struct StoredView: Sendable {
  public let dtype: DType
  public let strides: Strides
  /// The element of the storage with which the tensor begins.
  public let storageOffset: Int
  /// The bytes of the file that are the storage.
  public let storage: Range<Int>
}

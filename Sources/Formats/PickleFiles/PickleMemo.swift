/// Values kept under numbers. Writers count up from 0, which an array serves; others go to a dictionary.
struct PickleMemo {
  private var dense: [PickleValue] = []
  private var sparse: [Int: PickleValue] = [:]

  var count: Int { dense.count + sparse.count }

  func value(_ index: Int) -> PickleValue? { index < dense.count ? dense[index] : sparse[index] }

  /// Gives the bytes that the entry takes beyond those before.
  mutating func set(_ index: Int, _ value: PickleValue) -> Int {
    if index < dense.count {
      dense[index] = value
      return 0
    }
    if index == dense.count, sparse[index] == nil {
      dense.append(value)
      return MemoryLayout<PickleValue>.stride
    }
    return sparse.updateValue(value, forKey: index) == nil ? 2 * MemoryLayout<(Int, PickleValue)>.stride : 0
  }
}

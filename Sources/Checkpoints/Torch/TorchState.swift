import Pickle
import Tensors

/// The named tensors of a pickle: the weights, wherever a training program has put them.
struct TorchState {
  private(set) var tensors: [TorchTensor] = []
  /// Keys beside the weights that were passed over.
  private(set) var passedOver: [String] = []

  /// Keys under which programs keep the weights.
  private static let wrappers = ["state_dict", "module", "model"]
  /// Values that are looked at before a pickle counts as a trap of shared values.
  private static let stepLimit = 4 << 20
  /// Values that wait to be looked at, and bytes of their names.
  private static let openLimit = (count: 1 << 18, nameByteCount: 16 << 20)

  private let document: PickleDocument
  private var names: Set<TensorName> = []
  private var openNameByteCount = 0

  /// - Parameter key: only what stands under this key of the root; nil for the weights.
  init(_ document: PickleDocument, key: String? = nil) throws(TorchError) {
    self.document = document
    var root = document.root
    if let key {
      root = Self.value(of: key, in: root, document) ?? .none
    } else {
      try unwrap(&root)
    }
    if let tensor = try TorchTensor(root, name: "tensor", in: document) {
      tensors = [tensor]
    } else {
      try walk(root)
    }
  }

  /// The value of a text key of a dict.
  static func value(of key: String, in dict: PickleValue, _ document: PickleDocument) -> PickleValue? {
    let key = Array(key.utf8)
    return document.pairs(dict)?.last { document.text($0.key) == key }?.value
  }

  /// Goes to the dict of weights: one that holds tensors itself, or lies under a known key.
  private mutating func unwrap(_ root: inout PickleValue) throws(TorchError) {
    for _ in 0..<4 {
      guard let pairs = document.pairs(root) else { return }
      for pair in pairs where try TorchTensor(pair.value, name: "tensor", in: document) != nil { return }
      var found: (key: String, value: PickleValue)?
      for key in Self.wrappers {
        guard let value = Self.value(of: key, in: root, document), let inner = document.pairs(value), !inner.isEmpty
        else { continue }
        if let found { throw .severalStates(first: found.key, second: key) }
        found = (key, value)
      }
      guard let found else { return }
      for pair in pairs {
        if let key = document.text(pair.key), key != Array(found.key.utf8) { passedOver.append(printable(key)) }
      }
      root = found.value
    }
  }

  private struct Step {
    let value: PickleValue
    let name: [UInt8]
    let depth: Int
  }

  /// Collects tensors below a value, in the pickle's order, named by keys joined with dots.
  private mutating func walk(_ root: PickleValue) throws(TorchError) {
    var open = [Step(value: root, name: [], depth: 0)]
    var steps = 0
    while let step = open.popLast() {
      steps += 1
      openNameByteCount -= step.name.count
      guard steps <= Self.stepLimit else { throw .pickle(.tooManyValues(offset: document.endOffset)) }
      guard step.depth <= Limits.pickleDepth else { throw .tooDeep }
      let name = TensorName(utf8: step.name)
      if let tensor = try TorchTensor(step.value, name: name, in: document) {
        guard !step.name.isEmpty else { throw .badTensor(name: name, rule: "has an empty name") }
        guard names.insert(name).inserted else { throw .nameTwice(name: name) }
        guard tensors.count < Limits.tensorCount else { throw .tooManyTensors }
        tensors.append(tensor)
      } else if let pairs = document.pairs(step.value) {
        try put(on: &open, pairs.map { (document.label($0.key), $0.value) }, step)
      } else if let items = document.sequence(step.value) {
        // Plain numbers, such as shapes or states of generators, hold no tensors.
        try put(on: &open, items.enumerated().map { (Array(String($0.offset).utf8), $0.element) }, step)
      }
    }
  }

  private mutating func put(
    on open: inout [Step], _ items: [(label: [UInt8], value: PickleValue)], _ parent: Step
  ) throws(TorchError) {
    for item in items.reversed() {
      guard case .node = item.value else { continue }
      guard open.count < Self.openLimit.count, openNameByteCount <= Self.openLimit.nameByteCount else {
        throw .pickle(.tooManyValues(offset: document.endOffset))
      }
      let name = parent.name.isEmpty ? item.label : parent.name + [UInt8(ascii: ".")] + item.label
      guard name.count <= Limits.nameByteCount else { throw .nameTooLong(byteCount: name.count) }
      openNameByteCount += name.count
      open.append(Step(value: item.value, name: name, depth: parent.depth + 1))
    }
  }
}

extension PickleDocument {
  /// A key as a part of a tensor's name.
  fileprivate func label(_ key: PickleValue) -> [UInt8] {
    switch key {
    case .text(let text): bytes(text)
    case .int(let number): Array(String(number).utf8)
    case .bool(let flag): Array(flag ? "True".utf8 : "False".utf8)
    default: Array("?".utf8)
    }
  }
}

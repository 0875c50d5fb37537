import PickleFiles
import Tensors

/// The named tensors of a pickle: the weights, wherever a training program has put them.
struct TorchState {
  private(set) var tensors: [TorchTensor] = []
  /// Keys beside the weights that were passed over.
  private(set) var passedOver: [String] = []
  /// NumPy arrays among the tensors, which are not read.
  private(set) var arrays: [String] = []

  /// Keys under which programs keep the weights.
  private static let wrappers = ["state_dict", "model_state_dict", "model_state", "module", "model"]

  /// Keys under which training programs keep what is no weight, tensors though there are below: an optimizer's moments, states of
  /// schedules and of random numbers.
  private static func isTrainingState(_ key: [UInt8]) -> Bool {
    let key = String(utf8: key).lowercased()
    return key.hasPrefix("optim") || key.contains("optimizer") || key.hasSuffix("scheduler")
      || key.hasSuffix("schedulers")
      || key.hasPrefix("rng_state") || key.hasSuffix("rng_state")
      || ["scaler", "grad_scaler", "amp", "loops"].contains(key)
  }
  /// Values that wait to be looked at, and bytes of their names.
  private static let openLimit = (count: 1 << 18, nameByteCount: 16 << 20)

  private let document: PickleDocument
  private var names: Set<TensorName> = []
  private var openNameByteCount = 0
  /// Values that may be looked at: what there is, and a little for those that are shared.
  private var steps: Int

  /// - Parameter key: only what stands under this key of the root; nil for the weights.
  init(_ document: PickleDocument, key: String? = nil) throws(TorchError) {
    self.document = document
    steps = 4 * document.itemCount + 1 << 16
    var root = document.root
    if let key {
      root = Self.value(of: key, in: root, document) ?? .none
    } else {
      try unwrap(&root)
    }
    if let tensor = try TorchTensor(root, name: "tensor", in: document) {
      tensors = [tensor]
    } else {
      try walk(root, passesOverTrainingState: key == nil)
    }
  }

  /// The value of a text key of a dict.
  static func value(of key: String, in dict: PickleValue, _ document: PickleDocument) -> PickleValue? {
    let key = Array(key.utf8)
    return document.mapping(dict)?.last { document.text($0.key) == key }?.value
  }

  private mutating func spend(_ count: Int) throws(TorchError) {
    steps -= count
    guard steps >= 0 else { throw .pickle(.tooManyValues(offset: document.endOffset)) }
  }

  /// Goes to the dict of weights: down the keys under which programs keep them, as long as there are tensors below.
  private mutating func unwrap(_ root: inout PickleValue) throws(TorchError) {
    for _ in 0..<4 {
      guard let pairs = document.mapping(root) else { return }
      try spend(pairs.count)
      var found: (key: String, value: PickleValue)?
      for key in Self.wrappers {
        let bytes = Array(key.utf8)
        guard let value = pairs.last(where: { document.text($0.key) == bytes })?.value, try holdsTensors(value) else {
          continue
        }
        if let found { throw .severalStates(first: found.key, second: key) }
        found = (key, value)
      }
      guard let found else { return }
      for pair in pairs {
        if let key = document.text(pair.key), key != Array(found.key.utf8) { passedOver.append(String(utf8: key)) }
      }
      root = found.value
    }
  }

  /// Whether tensors stand in a dict, or in dicts below it.
  private mutating func holdsTensors(_ value: PickleValue) throws(TorchError) -> Bool {
    var open = [(value: value, depth: 0)]
    while let next = open.popLast() {
      guard let pairs = document.mapping(next.value) else { continue }
      try spend(pairs.count)
      if pairs.contains(where: { TorchTensor.isOne($0.value, in: document) }) { return true }
      if next.depth < 4 { open += pairs.map { ($0.value, next.depth + 1) } }
    }
    return false
  }

  private struct Step {
    let value: PickleValue
    let name: [UInt8]
    let depth: Int
  }

  /// Collects tensors below a value, in the pickle's order, named by keys joined with dots.
  /// - Parameter passesOverTrainingState: whether an optimizer's state beside the weights is left out.
  private mutating func walk(_ root: PickleValue, passesOverTrainingState: Bool) throws(TorchError) {
    var open = [Step(value: root, name: [], depth: 0)]
    while let step = open.popLast() {
      openNameByteCount -= step.name.count
      guard step.depth <= Limits.pickleDepth else { throw .tooDeep }
      let name = TensorName(utf8: step.name)
      if let tensor = try TorchTensor(step.value, name: name, in: document) {
        guard !step.name.isEmpty else { throw .badTensor(name: name, rule: "has an empty name") }
        guard String(validating: step.name, as: UTF8.self) != nil else {
          throw .badTensor(name: name, rule: "has a name that is not UTF-8")
        }
        guard names.insert(name).inserted else { throw .nameTwice(name: name) }
        tensors.append(tensor)
      } else if document.callee(step.value).map({ TorchGlobals.isArray($0.global) }) == true {
        arrays.append(name.description)
      } else {
        try spend(document.count(step.value))
        if var pairs = document.mapping(step.value) {
          if passesOverTrainingState, step.depth == 0 {
            for pair in pairs {
              if let key = document.text(pair.key), Self.isTrainingState(key) { passedOver.append(String(utf8: key)) }
            }
            pairs.removeAll { document.text($0.key).map(Self.isTrainingState) ?? false }
          }
          try put(on: &open, pairs.map { (document.label($0.key), $0.value) }, step)
        } else if let items = document.sequence(step.value) {
          try put(on: &open, items.enumerated().map { (Array(String($0.offset).utf8), $0.element) }, step)
        }
      }
    }
  }

  /// Plain values, such as shapes or states of generators, hold no tensors and are left out.
  private mutating func put(
    on open: inout [Step], _ items: [(label: [UInt8], value: PickleValue)], _ parent: Step
  ) throws(TorchError) {
    try spend(items.count)
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
  /// Keys and values of a dict, also of one that older Pythons write as a call with a list of pairs.
  func mapping(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    if count(value) == 0, let callee = callee(value), callee.argumentCount == 1,
      ["OrderedDict", "dict"].contains(callee.global.name),
      let list = call(value)?.arguments.first.flatMap({ sequence($0) })
    {
      let pairs = list.compactMap { sequence($0, limit: 2) }
      if pairs.allSatisfy({ $0.count == 2 }) { return pairs.map { ($0[0], $0[1]) } }
    }
    return pairs(value)
  }

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

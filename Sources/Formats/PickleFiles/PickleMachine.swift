import Tensors

/// Carries out the instructions of one pickle: pushes and pops values, nothing else.
struct PickleMachine {
  private(set) var document: PickleDocument
  private var reader: PickleReader
  private let allows: (PickleGlobal) -> Bool
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo = PickleMemo()
  private var globalNumbers: [PickleGlobal: Int] = [:]
  private var budget: Int
  /// Where the current instruction stands.
  private var place = 0

  init(_ source: PickleBytes, offset: Int, valueByteCount: Int, allows: @escaping (PickleGlobal) -> Bool) {
    budget = valueByteCount
    document = PickleDocument(source)
    reader = PickleReader(source.bytes, offset: offset)
    self.allows = allows
  }

  mutating func run() throws(PickleError) {
    for _ in 0..<Limits.pickleInstructionCount {
      place = reader.offset
      let code = try reader.byte()
      guard let opcode = PickleOpcode(rawValue: code) else { throw .unknownOpcode(code, offset: place) }
      if opcode == .stop {
        document.root = try pop()
        document.endOffset = reader.offset
        return
      }
      if try pushScalar(opcode) { continue }
      if try keepOrRecall(opcode) { continue }
      try build(opcode)
    }
    throw .tooManyInstructions(offset: reader.offset)
  }

  // MARK: Stack

  private mutating func spend(_ byteCount: Int) throws(PickleError) {
    budget -= byteCount
    guard budget >= 0 else { throw .tooManyValues(offset: place) }
  }

  private mutating func push(_ value: PickleValue) throws(PickleError) {
    // Room on the stack is given back by what pops, but nobody needs more of it than this at once.
    guard stack.count < 1 << 20 else { throw .tooManyValues(offset: place) }
    stack.append(value)
  }

  private mutating func pop() throws(PickleError) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw .stackEmpty(offset: place) }
    return value
  }

  private mutating func popMarked() throws(PickleError) -> ArraySlice<PickleValue> {
    guard let mark = marks.popLast() else { throw .noMark(offset: place) }
    // A copy of these values alone: a slice would make the whole stack be copied.
    let items = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return items[...]
  }

  // MARK: Nodes

  private mutating func makeNode(
    _ kind: PickleDocument.Kind, _ items: some Sequence<PickleValue> = EmptyCollection()
  ) throws(PickleError) -> Int {
    try spend(MemoryLayout<PickleDocument.Node>.stride)
    let node = document.nodes.count
    document.nodes.append(.init(kind: kind))
    for item in items { try add(item, to: node) }
    return node
  }

  private mutating func add(_ value: PickleValue, to node: Int) throws(PickleError) {
    try spend(MemoryLayout<PickleDocument.Link>.stride)
    let link = Int32(document.links.count)
    document.links.append(.init(value: value, next: -1))
    if document.nodes[node].last >= 0 {
      document.links[Int(document.nodes[node].last)].next = link
    } else {
      document.nodes[node].first = link
    }
    document.nodes[node].last = link
    document.nodes[node].count += 1
  }

  /// The container below the values that were just popped.
  private func container(pairs: Bool) throws(PickleError) -> Int {
    guard stack.count > (marks.last ?? 0), let top = stack.last else { throw .stackEmpty(offset: place) }
    guard case .node(let node) = top else { throw .notAContainer(offset: place) }
    let target = document.nodes[node]
    switch target.kind {
    case .dict where pairs, .list where !pairs, .set where !pairs: return node
    case .object where target.count == 0 || target.hasPairs == pairs: return node
    default: throw .notAContainer(offset: place)
    }
  }

  private mutating func put(_ items: ArraySlice<PickleValue>, asPairs: Bool) throws(PickleError) {
    if asPairs, !items.count.isMultiple(of: 2) { throw .oddItems(offset: place) }
    let node = try container(pairs: asPairs)
    document.nodes[node].hasPairs = asPairs
    for item in items { try add(item, to: node) }
  }

  private mutating func call(_ callable: PickleValue, _ arguments: PickleValue) throws(PickleError) {
    guard case .global(let number) = callable else { throw .callRefused(offset: place) }
    guard case .node(let list) = arguments, document.nodes[list].kind == .tuple else {
      throw .callRefused(offset: place)
    }
    let node = try makeNode(.object)
    document.nodes[node].callable = Int32(number)
    document.nodes[node].arguments = Int32(list)
    try push(.node(node))
  }

  private mutating func global(_ module: [UInt8], _ name: [UInt8]) throws(PickleError) -> PickleValue {
    guard module.count + name.count <= 1 << 16, let module = String(validating: module, as: UTF8.self),
      let name = String(validating: name, as: UTF8.self)
    else { throw .badText(offset: place) }
    let global = PickleGlobal(module, name)
    if let known = globalNumbers[global] { return .global(known) }
    guard allows(global) else { throw .globalRefused(name: global.path, offset: place) }
    // Each name of the list is kept once, so there are no more of them than the list has.
    globalNumbers[global] = document.globals.count
    document.globals.append(global)
    return .global(document.globals.count - 1)
  }

  // MARK: Instructions

  /// Numbers, texts and constants. False where the instruction is of another kind.
  private mutating func pushScalar(_ opcode: PickleOpcode) throws(PickleError) -> Bool {
    switch opcode {
    case .none: try push(.none)
    case .newTrue: try push(.bool(true))
    case .newFalse: try push(.bool(false))
    case .binInt: try push(.int(Int(try reader.number(Int32.self))))
    case .binInt1: try push(.int(Int(try reader.byte())))
    case .binInt2: try push(.int(Int(try reader.number(UInt16.self))))
    case .int: try push(try reader.decimal(allowsBool: true))
    case .long: try push(try reader.decimal(allowsBool: false))
    case .long1: try push(try reader.long(byteCount: Int(try reader.byte())))
    case .long4: try push(try reader.long(byteCount: Int(try reader.number(Int32.self))))
    case .float: try push(.float(try reader.decimalFloat()))
    case .binFloat: try push(.float(Double(bitPattern: try reader.number(UInt64.self).byteSwapped)))
    case .string: try push(.text(try keep(try reader.quoted(), at: place)))
    case .unicode: try push(.text(try keep(try reader.rawUnicode(), at: place)))
    case .binString: try push(.text(try reader.run(Int(try reader.number(Int32.self)))))
    case .shortBinString: try push(.text(try reader.run(Int(try reader.byte()))))
    case .binUnicode: try push(.text(try reader.run(Int(try reader.number(UInt32.self)))))
    case .shortBinUnicode: try push(.text(try reader.run(Int(try reader.byte()))))
    case .binUnicode8: try push(.text(try reader.wideRun()))
    case .binBytes: try push(.bytes(try reader.run(Int(try reader.number(UInt32.self)))))
    case .shortBinBytes: try push(.bytes(try reader.run(Int(try reader.byte()))))
    case .binBytes8, .byteArray8: try push(.bytes(try reader.wideRun()))
    default: return false
    }
    return true
  }

  /// Text that does not stand in the pickle as it is.
  private mutating func keep(_ bytes: [UInt8], at offset: Int) throws(PickleError) -> PickleText {
    try spend(bytes.count)
    let start = document.source.bytes.count + document.unescaped.count
    guard let start = UInt32(exactly: start) else { throw .tooManyValues(offset: offset) }
    document.unescaped += bytes
    return PickleText(start: start, count: UInt32(bytes.count))
  }

  /// The memo, the stack itself, and what frames it. False where the instruction is of another kind.
  private mutating func keepOrRecall(_ opcode: PickleOpcode) throws(PickleError) -> Bool {
    switch opcode {
    case .put: try keepInMemo(try reader.decimalIndex())
    case .binPut: try keepInMemo(Int(try reader.byte()))
    case .longBinPut: try keepInMemo(Int(try reader.number(UInt32.self)))
    case .memoize: try keepInMemo(memo.count)
    case .get: try recall(try reader.decimalIndex())
    case .binGet: try recall(Int(try reader.byte()))
    case .longBinGet: try recall(Int(try reader.number(UInt32.self)))
    case .mark:
      guard marks.count < Limits.pickleDepth else { throw .tooDeep(offset: place) }
      marks.append(stack.count)
    case .pop:
      // As in CPython, a mark right on top is what is popped.
      if marks.last == stack.count { marks.removeLast() } else { _ = try pop() }
    case .popMark: _ = try popMarked()
    case .dup:
      let value = try pop()
      try push(value)
      try push(value)
    case .proto:
      let version = Int(try reader.byte())
      guard version <= 5 else { throw .unknownProtocol(version) }
    case .frame: _ = try reader.number(UInt64.self)
    default: return false
    }
    return true
  }

  private mutating func keepInMemo(_ index: Int) throws(PickleError) {
    guard index < Limits.pickleMemoCount else { throw .memoTooLarge(index: index, offset: place) }
    let value = try pop()
    try push(value)
    try spend(memo.set(index, value))
  }

  private mutating func recall(_ index: Int) throws(PickleError) {
    guard let value = memo.value(index) else { throw .memoUnset(index: index, offset: place) }
    try push(value)
  }

  /// Containers, globals and calls.
  private mutating func build(_ opcode: PickleOpcode) throws(PickleError) {
    switch opcode {
    case .emptyTuple: try push(.node(try makeNode(.tuple)))
    case .emptyList: try push(.node(try makeNode(.list)))
    case .emptyDict: try push(.node(try makeNode(.dict)))
    case .emptySet: try push(.node(try makeNode(.set)))
    case .tuple: try push(.node(try makeNode(.tuple, try popMarked())))
    case .tuple1, .tuple2, .tuple3:
      var items: [PickleValue] = []
      for _ in PickleOpcode.tuple1.rawValue...opcode.rawValue { items.append(try pop()) }
      try push(.node(try makeNode(.tuple, items.reversed())))
    case .list: try push(.node(try makeNode(.list, try popMarked())))
    case .frozenSet: try push(.node(try makeNode(.set, try popMarked())))
    case .dict:
      let items = try popMarked()
      guard items.count.isMultiple(of: 2) else { throw .oddItems(offset: place) }
      try push(.node(try makeNode(.dict, items)))
    case .append: try put([try pop()], asPairs: false)
    case .appends, .addItems: try put(try popMarked(), asPairs: false)
    case .setItem:
      let value = try pop()
      try put([try pop(), value], asPairs: true)
    case .setItems: try put(try popMarked(), asPairs: true)
    case .persistentID:
      let name = PickleValue.text(try reader.lineText())
      try push(.node(try makeNode(.persistent, CollectionOfOne(name))))
    case .binPersistentID: try push(.node(try makeNode(.persistent, CollectionOfOne(try pop()))))
    case .global:
      let module = try reader.line()
      try push(try global(module, try reader.line()))
    case .stackGlobal:
      guard let name = document.text(try pop()), let module = document.text(try pop()) else {
        throw .globalNotText(offset: place)
      }
      try push(try global(module, name))
    case .reduce, .newObject:
      let arguments = try pop()
      try call(try pop(), arguments)
    case .newObjectEx:
      _ = try pop()  // keyword arguments
      let arguments = try pop()
      try call(try pop(), arguments)
    case .inst:
      let module = try reader.line()
      let callable = try global(module, try reader.line())
      try call(callable, .node(try makeNode(.tuple, try popMarked())))
    case .obj:
      let items = try popMarked()
      guard let callable = items.first else { throw .stackEmpty(offset: place) }
      try call(callable, .node(try makeNode(.tuple, items.dropFirst())))
    case .build:
      _ = try pop()  // attributes: nothing that a tensor or its name depends on
      guard case .node(let node) = try pop(), document.nodes[node].kind == .object else {
        throw .notAContainer(offset: place)
      }
      try push(.node(node))
    case .extension1: throw .extensionRefused(code: Int(try reader.byte()), offset: place)
    case .extension2: throw .extensionRefused(code: Int(try reader.number(UInt16.self)), offset: place)
    case .extension4: throw .extensionRefused(code: Int(try reader.number(Int32.self)), offset: place)
    default: throw .outOfBand(offset: place)
    }
  }
}

extension PickleDocument {
  /// Reads one pickle.
  /// - Parameters:
  ///   - offset: where it starts.
  ///   - valueByteCount: bytes that its values may take.
  ///   - allows: whether a global is one of the harmless names.
  /// - Throws: ``PickleError``.
  public init(
    _ source: PickleBytes, offset: Int = 0, valueByteCount: Int = Limits.pickleValueByteCount,
    allows: @escaping (PickleGlobal) -> Bool
  ) throws(PickleError) {
    var machine = PickleMachine(source, offset: offset, valueByteCount: valueByteCount, allows: allows)
    try machine.run()
    self = machine.document
  }

  /// Whether the pickle ends where its bytes do.
  public func checkEnd() throws(PickleError) {
    guard endOffset == source.bytes.count else { throw .trailingBytes(offset: endOffset) }
  }
}

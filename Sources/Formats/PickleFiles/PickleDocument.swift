import Tensors

/// One value of a pickle. What holds other values is a node of its ``PickleDocument``.
public enum PickleValue: Sendable, Equatable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case text(PickleText)
  case bytes(PickleText)
  /// An integer of more than 64 bits, as its little-endian bytes.
  case bigInteger(PickleText)
  /// Index into ``PickleDocument/globals``.
  case global(Int)
  /// Index of a node.
  case node(Int)
}

/// A run of bytes in a pickle.
public struct PickleText: Sendable, Equatable {
  let start: UInt32
  let count: UInt32
}

/// A name that a pickle refers to. Never more than a name here.
public struct PickleGlobal: Sendable, Hashable {
  public let module: String
  public let name: String

  public init(_ module: String, _ name: String) {
    self.module = module
    self.name = name
  }

  public var path: String { module + "." + name }
}

/// The bytes of a pickle, where they lie.
public final class PickleBytes: Sendable {
  nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
  private let owner: any Sendable

  /// Bytes in memory.
  public init(_ bytes: [UInt8]) throws(FileError) {
    let buffer = try AlignedBuffer(byteCount: bytes.count)
    buffer.bytes.copyBytes(from: bytes)
    owner = buffer
    self.bytes = UnsafeRawBufferPointer(buffer.bytes)
  }

  /// Bytes of a mapped file, up to the limit of a pickle.
  public init(_ file: MappedFile, offset: Int = 0, count: Int? = nil) {
    owner = file
    bytes = file.bytes(at: offset, count: min(count ?? file.byteCount, Limits.pickleByteCount))
  }

  /// All bytes, valid as long as this object lives.
  public var buffer: UnsafeRawBufferPointer { bytes }
}

/// What a pickle holds: a graph of values, flat in memory, so that neither walking nor freeing it recurses.
public struct PickleDocument: Sendable {
  public enum Kind: UInt8, Sendable {
    case list
    case tuple
    case set
    /// Items are keys and values in turn.
    case dict
    /// A call of a global by the pickle; never carried out. Its items are what was put in afterwards.
    case object
    /// Something outside the pickle, named by its one item.
    case persistent
  }

  struct Node {
    var kind: Kind
    /// Of an object: whether its items are keys and values.
    var hasPairs = false
    var callable: Int32 = -1
    /// The arguments of the call: a node.
    var arguments: Int32 = -1
    var first: Int32 = -1
    var last: Int32 = -1
    var count: Int32 = 0
  }

  struct Link {
    var value: PickleValue
    var next: Int32
  }

  public internal(set) var root = PickleValue.none
  public internal(set) var globals: [PickleGlobal] = []
  /// Where the pickle ends.
  public internal(set) var endOffset = 0
  let source: PickleBytes
  var nodes: [Node] = []
  var links: [Link] = []
  /// Text that had to be unescaped; its offsets count on from the pickle's end.
  var unescaped: [UInt8] = []

  init(_ source: PickleBytes) { self.source = source }

  /// The items of a node. A dict's are keys and values in turn.
  public func items(_ node: Int) -> [PickleValue] {
    var items: [PickleValue] = []
    items.reserveCapacity(Int(nodes[node].count))
    var next = nodes[node].first
    while next >= 0 {
      items.append(links[Int(next)].value)
      next = links[Int(next)].next
    }
    return items
  }

  /// The number of items of a value; 0 for one that holds none.
  public func count(_ value: PickleValue) -> Int {
    guard case .node(let node) = value else { return 0 }
    return Int(nodes[node].count)
  }

  /// All items of all values: a bound on what a walk can meet where nothing is shared.
  public var itemCount: Int { links.count }

  /// Keys and values of a dict, or of an object that was filled like one; nil for others.
  public func pairs(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    guard case .node(let node) = value, nodes[node].kind == .dict || (nodes[node].kind == .object && hasPairs(node))
    else { return nil }
    let items = items(node)
    return stride(from: 0, to: items.count - 1, by: 2).map { (items[$0], items[$0 + 1]) }
  }

  /// An object into which nothing was put can be an empty dict as well.
  private func hasPairs(_ node: Int) -> Bool { nodes[node].hasPairs || nodes[node].count == 0 }

  /// The global that a value calls, and how many arguments it has; nil for anything else.
  public func callee(_ value: PickleValue) -> (global: PickleGlobal, argumentCount: Int)? {
    guard case .node(let node) = value, nodes[node].kind == .object, nodes[node].callable >= 0 else { return nil }
    let arguments = nodes[node].arguments
    return (globals[Int(nodes[node].callable)], arguments < 0 ? 0 : Int(nodes[Int(arguments)].count))
  }

  /// The global and the arguments of a call; nil for anything else, and where there are more arguments than `limit`.
  public func call(_ value: PickleValue, limit: Int = 16) -> (global: PickleGlobal, arguments: [PickleValue])? {
    guard case .node(let node) = value, let callee = callee(value), callee.argumentCount <= limit else { return nil }
    let arguments = nodes[node].arguments
    return (callee.global, arguments < 0 ? [] : items(Int(arguments)))
  }

  /// The items of a list or tuple; nil for anything else, and where there are more than `limit`.
  public func sequence(_ value: PickleValue, limit: Int = .max) -> [PickleValue]? {
    guard case .node(let node) = value, [.list, .tuple].contains(nodes[node].kind), count(value) <= limit else {
      return nil
    }
    return items(node)
  }

  /// The name of something outside the pickle; nil for anything else.
  public func persistentName(_ value: PickleValue) -> PickleValue? {
    guard case .node(let node) = value, nodes[node].kind == .persistent else { return nil }
    return items(node).first
  }

  public func global(_ value: PickleValue) -> PickleGlobal? {
    guard case .global(let number) = value else { return nil }
    return globals[number]
  }

  /// The bytes of a text, byte string or large integer.
  public func bytes(_ text: PickleText) -> [UInt8] {
    let (start, count) = (Int(text.start), Int(text.count))
    guard start >= source.bytes.count else { return Array(source.bytes[start..<start + count]) }
    return Array(unescaped[(start - source.bytes.count)..<(start - source.bytes.count + count)])
  }

  /// The UTF-8 bytes of a text; nil for anything else.
  public func text(_ value: PickleValue) -> [UInt8]? {
    guard case .text(let text) = value else { return nil }
    return bytes(text)
  }
}

extension PickleDocument {
  /// Whether there is nothing in it.
  public var isEmpty: Bool { root == .none || (nodes.count == 1 && nodes[0].count == 0) }

  /// All values that name something outside the pickle.
  public var persistentValues: [PickleValue] {
    nodes.indices.filter { nodes[$0].kind == .persistent }.map { .node($0) }
  }
}

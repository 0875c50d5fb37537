import Documents

/// Parts of dotted names with the bytes below them, drawn as a tree.
struct NameTree {
  private struct Node {
    let name: String
    var byteCount = 0
    /// Dtype and shape of a tensor; nil for what only holds others.
    var leaf: (dtype: String, shape: [Int])?
    var children: [Node] = []

    init(_ name: String) { self.name = name }

    mutating func add(_ path: ArraySlice<String>, _ byteCount: Int, _ leaf: (dtype: String, shape: [Int])) {
      self.byteCount += byteCount
      guard let first = path.first else {
        self.leaf = leaf
        return
      }
      if !children.contains(where: { $0.name == first }) { children.append(Node(first)) }
      let index = children.firstIndex { $0.name == first }!
      children[index].add(path.dropFirst(), byteCount, leaf)
    }
  }

  private var root: Node
  /// No model nests deeper, and a hostile name may have thousands of parts.
  private static let depthLimit = 32

  init(_ inspection: Inspection) {
    let all = inspection.tensors
    root = Node(inspection.source.path)
    let lines = NameFolding.fold(all.map(\.name.text)) { all[$0].info.dtype.name + all[$0].info.shapeText }
    for line in lines {
      let info = all[line.members[0]].info
      root.add(
        line.name.split(separator: ".", maxSplits: Self.depthLimit - 1).map(String.init)[...],
        line.members.reduce(0) { $0 + all[$1].storedByteCount }, (info.dtype.name, info.shape))
    }
  }

  /// For people alone: a line a part, with its share of all bytes.
  var table: Table {
    var table = Table(
      nil,
      [
        .init(nil, "name"), .init(nil, "bytes"), .init(nil, "share"), .init(nil, "", rank: 3),
        .init(nil, "dtype", rank: 2), .init(nil, "shape", rank: 1),
      ])
    add(root, to: &table, prefix: "", childPrefix: "")
    return table
  }

  private func add(_ node: Node, to table: inout Table, prefix: String, childPrefix: String) {
    let share = Double(node.byteCount) / Double(max(1, root.byteCount))
    table.add([
      .name(prefix + node.name), .bytes(node.byteCount), node.leaf == nil ? .fraction(share) : .absent,
      node.leaf == nil ? .bar(share) : .absent, node.leaf.map { .text($0.dtype) } ?? .absent,
      node.leaf.map { .shape($0.shape) } ?? .absent,
    ])
    for (number, child) in node.children.enumerated() {
      let isLast = number == node.children.count - 1
      add(
        child, to: &table, prefix: childPrefix + (isLast ? "└─ " : "├─ "),
        childPrefix: childPrefix + (isLast ? "   " : "│  "))
    }
  }
}

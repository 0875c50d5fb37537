import Documents
import BantamArchive
import JSONText
import Kernels
import ModelSources
import Tensors

/// What a source holds: components and tensors, from headers alone.
public struct Inspection: Sendable {
  public struct Tensor: Sendable {
    public let name: TensorName
    public let component: String
    public let role: String
    public let info: TensorInfo
    public let encoding: String
    /// Bytes as stored here; 0 for an alias.
    public let storedByteCount: Int
    /// Index into ``ModelSource/tensors``.
    public let number: Int
  }

  public struct Component: Sendable {
    public let name: String
    public let about: String
    public let isDefault: Bool
    public let tensors: [Tensor]

    public var parameterCount: Int { tensors.reduce(0) { $0 + $1.info.elementCount } }
    public var storedByteCount: Int { tensors.reduce(0) { $0 + $1.storedByteCount } }
    /// `BF16`, or `BF16 390, F32 2` where there are several.
    public var dtypes: String { Self.summary(tensors.map(\.info.dtype.name)) }
    public var encodings: String { Self.summary(tensors.map(\.encoding)) }

    static func summary(_ names: [String]) -> String {
      var counts: [String: Int] = [:]
      for name in names { counts[name, default: 0] += 1 }
      if counts.count == 1 { return counts.first!.key }
      return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
        .joined(separator: ", ")
    }
  }

  public let source: ModelSource
  public let map: ModelMap
  public let components: [Component]
  /// Things the user should know, such as why a family's map did not fit.
  public let notes: [String]

  public var tensors: [Tensor] { components.flatMap(\.tensors) }

  /// - Throws: what opening the source throws. A folder that does not fit its family's map is shown as `generic`.
  public init(path: String, family: String? = nil) throws {
    let source = try ModelSource(path: path)
    var notes: [String] = []
    let map: ModelMap
    do {
      map = try ModelMap(source, family: family)
    } catch let error as FamilyError where family == nil {
      map = try ModelMap(source, family: "generic")
      notes.append("the family's map does not fit, taken as family 'generic': " + error.report.message)
    }
    self.source = source
    self.map = map
    self.notes = map.notes + notes
    components = map.components.map { component in
      Component(
        name: component.name, about: component.about, isDefault: component.isDefault,
        tensors: component.tensors.map { Self.tensor($0, component.name, source) })
    }
  }

  private static func tensor(_ tensor: ModelMap.Tensor, _ component: String, _ source: ModelSource) -> Tensor {
    let origin = source.tensors[tensor.number]
    let repeated = source.archive.flatMap { archive in
      archive.index.tensors[tensor.number].aliasOf.map { archive.index.tensors[$0].info.name }
    }
    return Tensor(
      name: tensor.name, component: component, role: tensor.role, info: origin.info,
      encoding: repeated.map { "same as \($0)" } ?? origin.encoding, storedByteCount: origin.storedByteCount,
      number: tensor.number)
  }

  /// The tensor of a name, in Bantam's form or the source's own.
  /// - Throws: ``ArchiveError/noSuchTensor(path:name:nearest:)``.
  public func tensor(named text: String) throws -> Tensor {
    guard let found = self[TensorName(text)] else { throw nothing(like: text) }
    return found
  }

  /// The tensors whose names a shell pattern fits, in Bantam's form or the source's own, in the order in which they are
  /// listed. A pattern that is a name itself is that tensor alone.
  /// - Throws: ``ArchiveError/noSuchTensor(path:name:nearest:)`` where it fits none.
  public func tensors(matching pattern: String) throws -> [Tensor] {
    if let found = self[TensorName(pattern)] { return [found] }
    let found = tensors.filter {
      $0.name.matches(pattern: pattern) || source.tensors[$0.number].sourceName.matches(pattern: pattern)
    }
    guard !found.isEmpty else { throw nothing(like: pattern) }
    return found
  }

  private subscript(name: TensorName) -> Tensor? {
    tensors.first { $0.name == name || source.tensors[$0.number].sourceName == name }
  }

  private func nothing(like text: String) -> ArchiveError {
    .noSuchTensor(path: source.path, name: text, nearest: nearestNames(to: text, in: tensors.map(\.name.text)))
  }

  // MARK: Screens

  /// The summary: one line a component, then tensors folded by layer.
  public func lines(allTensors: Bool) -> [String] {
    var lines: [String] = []
    let total = components.reduce(0) { $0 + $1.storedByteCount }
    let parameters = components.reduce(0) { $0 + $1.parameterCount }
    let release = map.release.map { " (\(PrintableText.shortened($0)))" } ?? ""
    lines.append(
      "\(source.path)  family \(PrintableText.shortened(map.family))\(release)  \(Quantity.bytes(total))  "
        + "\(Quantity.parameters(parameters)) parameters  \(tensors.count) tensors")
    if let checkpoint = source.checkpoint {
      let count = checkpoint.files.count
      lines.append("\(checkpoint.formats.joined(separator: ", ")), \(count) \(count == 1 ? "file" : "files")")
    }
    if let archive = source.archive {
      lines.append(
        "native file, generation \(archive.superblock.generation), \(archive.superblock.fileByteCount) bytes, index "
          + "\(archive.superblock.index.digest.description.prefix(16))")
    }
    var table = TextTable([
      ("component", .left), ("tensors", .right), ("parameters", .right), ("bytes", .right), ("bits/w", .right),
      ("dtype", .left), ("encoding", .left),
    ])
    for component in components {
      let bits =
        component.parameterCount > 0
        ? Quantity.fixed(8 * Double(component.storedByteCount) / Double(component.parameterCount), 2) : "-"
      table.add([
        component.name + (component.isDefault ? "" : " *"), "\(component.tensors.count)",
        Quantity.parameters(component.parameterCount), Quantity.bytes(component.storedByteCount), bits,
        component.dtypes, component.encodings,
      ])
    }
    lines += [""] + table.lines
    if components.contains(where: { !$0.isDefault }) {
      lines.append("* left out of a conversion unless it is named")
    }
    return lines + [""] + foldedTensors(allTensors: allTensors)
  }

  private func foldedTensors(allTensors: Bool) -> [String] {
    var table = TextTable([
      ("tensor", .left), ("count", .right), ("dtype", .left), ("shape", .left), ("encoding", .left), ("bytes", .right),
    ])
    let all = tensors
    let lines =
      allTensors
      ? all.indices.map { NameFolding.Line(name: all[$0].name.text, members: [$0]) }
      : NameFolding.fold(all.map(\.name.text)) { all[$0].info.dtype.name + all[$0].info.shapeText + all[$0].encoding }
    for line in lines {
      let first = all[line.members[0]]
      table.add([
        line.name, line.members.count == 1 ? "" : "\(line.members.count)", first.info.dtype.name,
        first.info.shapeText, first.encoding,
        Quantity.bytes(line.members.reduce(0) { $0 + all[$1].storedByteCount }),
      ])
    }
    return table.lines
  }

  /// A tree of names with the share of each part.
  public func tree() -> [String] {
    let all = tensors
    let total = max(1, all.reduce(0) { $0 + $1.storedByteCount })
    let lines = NameFolding.fold(all.map(\.name.text)) { all[$0].info.dtype.name + all[$0].info.shapeText }
    var root = TreeNode(name: source.path)
    for line in lines {
      let size = line.members.reduce(0) { $0 + all[$1].storedByteCount }
      let first = all[line.members[0]]
      root.add(
        line.name.split(separator: ".", maxSplits: 31).map(String.init)[...], byteCount: size,
        leaf: "\(first.info.dtype.name) \(first.info.shapeText)")
    }
    return root.lines(total: total)
  }

  /// What the files say about themselves: keys and values, file by file.
  public func metadataLines() -> [String] {
    var lines: [String] = []
    if let archive = source.archive { lines += archive.metadata.lines(indent: 2) }
    for file in source.checkpoint?.files ?? [] {
      lines.append("\(file.relativePath)  \(file.format)")
      var table = TextTable([("  key", .left), ("value", .left)])
      for item in file.metadata { table.add(["  " + String(utf8: item.key), PrintableText.shortened(item.value)]) }
      lines += file.metadata.isEmpty ? ["  says nothing about itself"] : table.lines
    }
    return lines
  }

  // MARK: JSON

  /// `{file: {key: value}}`, values as text.
  private var fileMetadata: JSONValue {
    .object(
      (source.checkpoint?.files ?? []).filter { !$0.metadata.isEmpty }.map { file in
        .init(
          file.relativePath,
          .object(file.metadata.map { .init(String(utf8: $0.key), .string($0.value)) }))
      })
  }

  /// The document of `inspect --json`.
  public func json(digests: [Int: TensorDigests] = [:]) -> JSONValue {
    .members([
      "schema": "bantam.inspect.1", "path": .string(source.path), "family": .string(map.family),
      "release": map.release.map { .string($0) } ?? .null,
      "kind": .string(source.archive == nil ? "checkpoint" : "bantam"),
      "formats": .array((source.checkpoint?.formats ?? [".bantam"]).map { .string($0) }),
      "notes": .array(notes.map { .string($0) }),
      "components": .array(
        components.map { component in
          .members([
            "name": .string(component.name), "default": .bool(component.isDefault),
            "tensors": .int(component.tensors.count), "parameters": .int(component.parameterCount),
            "bytes": .int(component.storedByteCount),
          ])
        }),
      "files": .array(source.files.map { .members(["path": .string($0.path), "bytes": .int($0.byteCount)]) }),
      "metadata": source.archive?.metadata ?? fileMetadata,
      "tensors": .array(tensors.map { json($0, digests[$0.number]) }),
    ])
  }

  private func json(_ tensor: Tensor, _ digests: TensorDigests?) -> JSONValue {
    let origin = source.archive?.index.tensors[tensor.number].source
    var members: [JSONValue.Member] = [
      .init("name", .string(tensor.name.text)), .init("component", .string(tensor.component)),
      .init("role", .string(tensor.role)), .init("dtype", .string(tensor.info.dtype.name)),
      .init("shape", .array(tensor.info.shape.map { .int($0) })), .init("encoding", .string(tensor.encoding)),
      .init("bytes", .int(tensor.storedByteCount)),
      .init("source_name", .string((origin?.name ?? source.tensors[tensor.number].sourceName).text)),
    ]
    if let digests {
      if let plain = digests.plain { members.append(.init("sha256", .string(plain.description))) }
      members.append(.init("stored_sha256", .string(digests.stored.description)))
    }
    return .object(members)
  }
}

/// A part of a dotted name, with the bytes below it.
private struct TreeNode {
  let name: String
  var byteCount = 0
  var leaf: String?
  var children: [TreeNode] = []

  init(name: String) { self.name = name }

  mutating func add(_ path: ArraySlice<String>, byteCount: Int, leaf: String) {
    self.byteCount += byteCount
    guard let first = path.first else {
      self.leaf = leaf
      return
    }
    if !children.contains(where: { $0.name == first }) { children.append(TreeNode(name: first)) }
    let index = children.firstIndex { $0.name == first }!
    children[index].add(path.dropFirst(), byteCount: byteCount, leaf: leaf)
  }

  func lines(total: Int) -> [String] {
    var lines: [String] = []
    write(to: &lines, prefix: "", childPrefix: "", total: total)
    return lines
  }

  private func write(to lines: inout [String], prefix: String, childPrefix: String, total: Int) {
    let share = Double(byteCount) / Double(total)
    let bar = String(repeating: "#", count: Int((share * 20).rounded()))
    var line = prefix + PrintableText.shortened(name)
    if let leaf { line += "  \(leaf)" }
    line += "  \(Quantity.bytes(byteCount))"
    if leaf == nil { line += "  \(Quantity.fixed(100 * share, 1)) % \(bar)" }
    lines.append(line)
    for (position, child) in children.enumerated() {
      let isLast = position == children.count - 1
      child.write(
        to: &lines, prefix: childPrefix + (isLast ? "└─ " : "├─ "),
        childPrefix: childPrefix + (isLast ? "   " : "│  "), total: total)
    }
  }
}

import BantamArchive
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
}

import BantamArchive
import Checkpoints
import JSONText
import Tensors

/// A source seen through its family's map: components, each an ordered list of tensors with Bantam's names.
public struct ModelMap: Sendable {
  public struct Tensor: Sendable {
    public let name: TensorName
    public let role: String
    /// Index into ``ModelSource/tensors``.
    public let number: Int
    /// Name of the tensor that this one may repeat.
    public let sameAs: TensorName?
  }

  public struct Component: Sendable {
    public let name: String
    public let about: String
    public let isDefault: Bool
    public let tensors: [Tensor]
  }

  /// `blip3o`, ..., or `generic`.
  public let family: String
  /// What people call the family; nil where no map is known for it.
  public let title: String?
  /// Name of the release whose sizes these are, where it is known.
  public let release: String?
  public let components: [Component]
  /// Files to carry along, by path below the source's root.
  public let files: [String]
  /// How the family stores its parts when quantization is asked for.
  public let quantization: QuantizationPolicy
  /// What the user should know about how the source was taken.
  public let notes: [String]

  /// Finds the family of a source and maps its tensors.
  /// - Parameter family: a family's name, `generic`, or nil to find it by config.json and the tensors.
  /// - Throws: ``FamilyError`` when tensors are unclaimed, missing, or of the wrong shape.
  public init(_ source: ModelSource, family: String? = nil) throws {
    let known = try FamilyMap.builtIn()
    if let archive = source.archive {
      self.init(archive, known)
      if let family, family != self.family {
        throw FamilyError.notThisFamily(path: source.path, family: family, found: self.family)
      }
      return
    }
    if let family, family != "generic", !known.contains(where: { $0.name == family }) {
      throw FamilyError.unknownFamily(name: family, known: known.map(\.name) + ["generic"])
    }
    let configs = ConfigFiles(source)
    if family != "generic",
      let map = try Self.family(FamilyEvidence(source: source, configs: configs), among: known, asked: family)
    {
      self = try Self.mapped(source, map, configs)
    } else {
      try self.init(generic: source, isAsked: family == "generic")
    }
  }

  /// The family of a source: the one asked for, if the source may be of it, or the one that fits best.
  private static func family(
    _ evidence: FamilyEvidence, among known: [FamilyMap], asked: String?
  ) throws -> FamilyMap? {
    let named = evidence.source.nameMap?.family
    guard let asked else {
      return try known.first { $0.name == named } ?? FamilyMap.best(for: evidence, among: known)
    }
    guard let map = known.first(where: { $0.name == asked }),
      try map.name == named || map.detection.score(evidence) > 0
    else {
      throw FamilyError.notThisFamily(
        path: evidence.source.path, family: asked, found: "config.json or tensors of another model")
    }
    return map
  }

  private init(_ archive: Archive, _ known: [FamilyMap]) {
    let family = archive.metadata["family"]?.string ?? "generic"
    let map = known.first { $0.name == family }
    self.family = family
    title = map?.title
    quantization = map?.quantization ?? .generic
    release = archive.metadata["release"]?.string
    components = archive.index.components.map { component in
      Component(
        name: component.name, about: "", isDefault: true,
        tensors: component.tensorRange.map { number in
          let tensor = archive.index.tensors[number]
          return Tensor(
            name: tensor.info.name, role: tensor.role, number: number,
            sameAs: tensor.aliasOf.map { archive.index.tensors[$0].info.name })
        })
    }
    files = archive.index.blobs.map(\.name)
    notes = []
  }

  /// All tensors under their own names: a component for each folder.
  private init(generic source: ModelSource, isAsked: Bool) throws {
    var order: [String] = []
    var byFolder: [String: [Tensor]] = [:]
    var seen: Set<TensorName> = []
    for (number, tensor) in source.tensors.enumerated() {
      let prefix = tensor.folder.isEmpty ? "" : tensor.folder.replacing("/", with: ".") + "."
      let name = TensorName(utf8: Array(prefix.utf8) + tensor.info.name.utf8)
      guard seen.insert(name).inserted else { throw FamilyError.nameTwice(path: source.path, name: name.text) }
      if byFolder[tensor.folder] == nil { order.append(tensor.folder) }
      let role = tensor.isPart ? ModelSource.partRole : "tensor"
      byFolder[tensor.folder, default: []].append(Tensor(name: name, role: role, number: number, sameAs: nil))
    }
    family = "generic"
    title = nil
    quantization = .generic
    release = nil
    var names: Set<String> = []
    components = order.map { folder in
      var name = folder.isEmpty ? "model" : folder.replacing("/", with: ".")
      while !names.insert(name).inserted { name += "_" }  // such as a folder that is called model
      return Component(
        name: name, about: "", isDefault: true,
        tensors: byFolder[folder]!)
    }
    let companions = [
      "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
      "merges.txt", "added_tokens.json", "special_tokens_map.json", "preprocessor_config.json", "model_index.json",
    ]
    files = (source.checkpoint?.isFolder ?? false) ? companions : []
    notes =
      source.notes
      + (isAsked ? [] : ["no known config.json with tensors of its family: taken as family 'generic'"])
  }

  private init(
    _ map: FamilyMap, release: String?, components: [Component], notes: [String]
  ) {
    family = map.name
    title = map.title
    quantization = map.quantization
    files = map.files
    self.release = release
    self.components = components
    self.notes = notes
  }

  // MARK: Known families

  private static func mapped(_ source: ModelSource, _ map: FamilyMap, _ configs: ConfigFiles) throws -> ModelMap {
    let probe = SourceProbe(source)
    let symbols = SymbolTable(values: source.nameMap?.symbols ?? [:]) { (name) throws(FamilyError) in
      try configs.value(of: name, in: map)
    }
    var components: [Component] = []
    var claimed = Set<Int>()
    var allExpected: [ExpectedTensor] = []
    for component in map.components {
      let expected = try map.expand(component, symbols: symbols, probe: probe)
      allExpected += expected
      var tensors: [Tensor] = []
      var missing: [ExpectedTensor] = []
      for tensor in expected {
        guard let number = probe.number(folder: tensor.folder, name: tensor.sourceName) else {
          if !tensor.isOptional { missing.append(tensor) }
          continue
        }
        let info = source.tensors[number].info
        guard tensor.shape == info.shape else {
          throw FamilyError.shape(
            path: source.path, tensor: tensor.sourceName, expected: "\(tensor.shape ?? [])", found: info.shapeText)
        }
        claimed.insert(number)
        tensors.append(
          Tensor(
            name: TensorName(tensor.name), role: tensor.role, number: number,
            sameAs: tensor.sameAs.map { TensorName($0) }))
      }
      if tensors.isEmpty { continue }
      if let first = missing.first {
        if let part = source.firstPart(folder: component.folder) {
          throw FamilyError.quantizedElsewhere(path: source.path, program: part.program, first: part.name.text)
        }
        throw FamilyError.missing(
          path: source.path, component: component.name, count: missing.count, first: first.sourceName,
          nearest: nearestNames(to: first.sourceName, in: probe.unclaimedNames(claimed)))
      }
      components.append(
        Component(name: component.name, about: component.about, isDefault: component.isDefault, tensors: tensors))
    }
    let unclaimed = source.tensors.indices.filter {
      !claimed.contains($0) && !map.ignoredFolders.contains(source.tensors[$0].folder) && !source.tensors[$0].isPart
    }
    // Folders that no component names are other things: copies, adapters, what a run has left.
    let folders = Set(map.components.map(\.folder))
    let elsewhere = Set(unclaimed.map { source.tensors[$0].folder }).subtracting(folders).sorted()
    let notes = elsewhere.map { folder in
      "passed over '\(folder)': \(unclaimed.count { source.tensors[$0].folder == folder }) tensors in a folder that is "
        + "no part of family \(map.name)"
    }
    let strangers = unclaimed.filter { folders.contains(source.tensors[$0].folder) }
    if let first = strangers.first {
      let name = source.tensors[first].info.name.text
      throw FamilyError.unclaimed(
        path: source.path, count: strangers.count, first: name,
        nearest: nearestNames(to: name, in: allExpected.map(\.sourceName)))
    }
    let release = try map.releases.first { release in
      try release.conditions.allSatisfy { try symbols.value($0.symbol) == $0.value }
    }
    return ModelMap(map, release: release?.name, components: components, notes: source.notes + notes)
  }

  /// The components to use: those asked for, or the defaults.
  /// - Throws: ``FamilyError`` for a name that is not there.
  public func selected(_ names: [String]?, path: String) throws(FamilyError) -> [Component] {
    guard let names else { return components.filter(\.isDefault) }
    if names == ["all"] { return components }
    let has = components.map(\.name)
    for name in names where !has.contains(name) {
      throw .componentAbsent(path: path, name: name, has: has)
    }
    return components.filter { names.contains($0.name) }
  }
}

/// The config files of a source, each read once.
final class ConfigFiles {
  private let source: ModelSource
  private var files: [String: JSONValue?] = [:]

  init(_ source: ModelSource) { self.source = source }

  /// The parsed file, or nil where there is none.
  func file(_ path: String) throws -> JSONValue? {
    if let known = files[path] { return known }
    guard let bytes = try source.companion(path) else {
      files[path] = .some(nil)
      return nil
    }
    do {
      let value = try ConfigJSON.parse(bytes)
      guard value.object != nil else { throw FamilyError.config(path: path, rule: "is not a JSON object") }
      files[path] = .some(value)
      return value
    } catch let error as JSONError { throw FamilyError.config(path: path, rule: error.explanation.problem) }
  }

  /// The value of a family's symbol, or nil where the map gives no place for it or the config lacks it.
  func value(of symbol: String, in map: FamilyMap) throws(FamilyError) -> Int? {
    guard let place = map.symbols[symbol] else { return nil }
    let root: JSONValue?
    do { root = try file(place.file) } catch let error as FamilyError { throw error } catch {
      throw .config(
        path: place.file, rule: "cannot be read: \(error)")
    }
    guard var value = root else { return nil }
    var key = ""
    for step in place.steps {
      switch step {
      case .key(let name):
        key = name
        guard let next = value[name] else { return nil }
        value = next
      case .position(let position):
        // A single number stands for all positions, as diffusers allows.
        if value.int != nil { continue }
        guard let items = value.array, items.indices.contains(position) else {
          throw .configKey(path: place.file, key: key, rule: "has no entry \(position)")
        }
        value = items[position]
      }
    }
    guard let number = value.int else { throw .configKey(path: place.file, key: key, rule: "is not an integer") }
    guard (0...1 << 31).contains(number) else {
      throw .configKey(path: place.file, key: key, rule: "is out of range: \(number)")
    }
    return number
  }
}

/// Answers an expansion's questions from the tensors of a source.
struct SourceProbe: TensorProbe {
  private let source: ModelSource
  private let numbers: [String: [String: Int]]

  init(_ source: ModelSource) {
    self.source = source
    var numbers: [String: [String: Int]] = [:]
    for (number, tensor) in source.tensors.enumerated() {
      // The map's names are ASCII, for which String and byte equality are the same.
      if tensor.info.name.utf8.allSatisfy({ $0 < 0x80 }) {
        numbers[tensor.folder, default: [:]][tensor.info.name.text] = number
      }
    }
    self.numbers = numbers
  }

  func number(folder: String, name: String) -> Int? { numbers[folder]?[name] }

  func shape(folder: String, name: String) -> [Int]? {
    number(folder: folder, name: name).map { source.tensors[$0].info.shape }
  }

  func count(folder: String, prefix: String) -> Int {
    (numbers[folder] ?? [:]).keys.lazy.filter { $0.hasPrefix(prefix) }
      .compactMap { Int($0.dropFirst(prefix.count).prefix { $0.isNumber }) }
      .filter { $0 < 100_000 }.max().map { $0 + 1 } ?? 0
  }

  func unclaimedNames(_ claimed: Set<Int>) -> [String] {
    source.tensors.indices.filter { !claimed.contains($0) }.map { source.tensors[$0].info.name.text }
  }
}

import Tensors

/// One tensor that a family's map asks for.
public struct ExpectedTensor: Sendable {
  /// Folder and name in the source.
  public let folder: String
  public let sourceName: String
  /// Name in Bantam: component, a dot, and the rest.
  public let name: String
  public let role: String
  /// Nil where a size depends on a tensor that the source lacks.
  public let shape: [Int]?
  public let isOptional: Bool
  /// Bantam's name of the tensor that this one may repeat.
  public let sameAs: String?
}

/// What an expansion may ask of a source: shapes and numbers of layers.
protocol TensorProbe {
  func shape(folder: String, name: String) -> [Int]?
  /// One more than the highest number that follows `prefix` in a name.
  func count(folder: String, prefix: String) -> Int
}

/// A source of which nothing is known: all symbols must have values.
struct NoProbe: TensorProbe {
  func shape(folder: String, name: String) -> [Int]? { nil }
  func count(folder: String, prefix: String) -> Int { 0 }
}

/// Values of a family's symbols: given, read from config files, or taken from the first shape that shows them.
final class SymbolTable {
  private var values: [String: Int]
  private let read: (String) throws(FamilyError) -> Int?

  init(values: [String: Int] = [:], read: @escaping (String) throws(FamilyError) -> Int? = { _ in nil }) {
    self.values = values
    self.read = read
  }

  func value(_ name: String) throws(FamilyError) -> Int? {
    if let known = values[name] { return known }
    guard let found = try read(name) else { return nil }
    values[name] = found
    return found
  }

  func bind(_ name: String, to value: Int) { values[name] = value }
}

extension FamilyMap {
  /// The tensors of a component, in execution order, with symbols given by value.
  /// - Throws: ``FamilyError/badMap(family:rule:)`` where a size cannot be computed.
  public func tensors(of component: Component, symbols: [String: Int]) throws(FamilyError) -> [ExpectedTensor] {
    let expected = try expand(component, symbols: SymbolTable(values: symbols), probe: NoProbe())
    if let open = expected.first(where: { $0.shape == nil }) {
      throw .badMap(family: name, rule: "the shape of '\(open.name)' depends on a symbol without a value")
    }
    return expected
  }

  /// The tensors of a component, with open symbols bound by the shapes that the probe knows.
  func expand(
    _ component: Component, symbols: SymbolTable, probe: some TensorProbe
  ) throws(FamilyError) -> [ExpectedTensor] {
    var expansion = Expansion(map: self, component: component, symbols: symbols, probe: probe)
    try expansion.walk(
      component.nodes, prefix: "", source: component.sourcePrefix, scope: Scope(), isOptional: false, sameAs: nil)
    return expansion.result
  }
}

/// Arguments of a block, each an expression in the scope outside.
private final class Scope {
  let outer: Scope?
  let arguments: [String: SizeExpression]
  let variables: [String: Int]

  init(outer: Scope? = nil, arguments: [String: SizeExpression] = [:], variables: [String: Int] = [:]) {
    self.outer = outer
    self.arguments = arguments
    self.variables = variables
  }
}

private struct Expansion<Probe: TensorProbe> {
  let map: FamilyMap
  let component: FamilyMap.Component
  let symbols: SymbolTable
  let probe: Probe
  var result: [ExpectedTensor] = []

  init(map: FamilyMap, component: FamilyMap.Component, symbols: SymbolTable, probe: Probe) {
    self.map = map
    self.component = component
    self.symbols = symbols
    self.probe = probe
  }

  /// The value of an expression, or nil; config errors are kept and thrown by the caller.
  private func value(_ expression: SizeExpression, _ scope: Scope?) throws(FamilyError) -> Int? {
    var failure: FamilyError?
    let result = expression.value { name in
      do throws(FamilyError) { return try value(of: name, scope) } catch {
        failure = error
        return nil
      }
    }
    if let failure { throw failure }
    return result
  }

  private func value(of name: String, _ scope: Scope?) throws(FamilyError) -> Int? {
    guard let scope else { return try symbols.value(name) }
    if let variable = scope.variables[name] { return variable }
    if let argument = scope.arguments[name] { return try value(argument, scope.outer) }
    return try value(of: name, scope.outer)
  }

  /// The free symbol behind an expression that is a multiple of one name, through all arguments.
  private func freeSymbol(_ expression: SizeExpression, _ scope: Scope?) -> (name: String, coefficient: Int)? {
    guard let (name, coefficient) = expression.singleSymbol, coefficient > 0 else { return nil }
    guard let scope else { return (name, coefficient) }
    if let argument = scope.arguments[name] {
      return freeSymbol(argument, scope.outer).map { ($0.name, $0.coefficient * coefficient) }
    }
    return freeSymbol(expression, scope.outer)
  }

  mutating func walk(
    _ nodes: [FamilyMap.Node], prefix: String, source: String, scope: Scope, isOptional: Bool, sameAs: String?
  ) throws(FamilyError) {
    for node in nodes {
      switch node {
      case .tensor(let name, let role, let shape):
        try add(name, role, shape, prefix, source, scope, isOptional, sameAs)
      case .group(let group):
        try walk(group, prefix: prefix, source: source, scope: scope, isOptional: isOptional, sameAs: sameAs)
      }
    }
  }

  private mutating func walk(
    _ group: FamilyMap.Group, prefix: String, source: String, scope: Scope, isOptional: Bool, sameAs: String?
  ) throws(FamilyError) {
    if let condition = group.condition {
      let (left, right) = (try value(condition.left, scope), try value(condition.differsFrom, scope))
      guard left != right else { return }
    }
    var isOptional = isOptional
    if let condition = group.optionalIf, try (value(condition, scope) ?? 0) != 0 { isOptional = true }
    var nodes = group.nodes
    var inner = scope
    if let block = group.block {
      guard let body = map.blocks[block] else {
        throw .badMap(family: map.name, rule: "there is no block '\(block)'")
      }
      nodes = body
      inner = Scope(outer: scope, arguments: group.arguments ?? [:])
    }
    let sameAs = group.sameAs.map { component.name + "." + $0 } ?? sameAs
    guard let loop = group.loop else {
      let text = filled(group.prefix, scope)
      return try walk(
        nodes, prefix: prefix + text, source: source + group.sourcePrefix + text, scope: inner,
        isOptional: isOptional, sameAs: sameAs)
    }
    let from = try value(loop.from, scope) ?? 0
    let mark = "{\(loop.variable)}"
    var to = try value(loop.to, scope)
    if to == nil, let symbol = freeSymbol(loop.to, scope), symbol.coefficient == 1 {
      // The number of layers is what the source shows.
      let stem = source + group.sourcePrefix + prefixBefore(mark, in: group.prefix, nodes)
      to = probe.count(folder: component.folder, prefix: stem)
      symbols.bind(symbol.name, to: to!)
    }
    // A config may claim any number of layers; a source cannot hold more than there are tensors.
    guard let to, to <= 100_000 else {
      throw .badMap(family: map.name, rule: "the range of '\(loop.variable)' in '\(prefix)' has no sensible end")
    }
    guard from < to else { return }
    for number in from..<to {
      let loopScope = Scope(outer: inner, variables: [loop.variable: number])
      let text = filled(group.prefix, loopScope)
      try walk(
        nodes, prefix: prefix + text, source: source + group.sourcePrefix + text, scope: loopScope,
        isOptional: isOptional, sameAs: sameAs)
    }
  }

  /// A name with the numbers of the loops around it in place of `{variable}`.
  private func filled(_ text: String, _ scope: Scope?) -> String {
    guard let scope, text.contains("{") else { return text }
    var text = text
    for (variable, number) in scope.variables { text = text.replacing("{\(variable)}", with: String(number)) }
    return filled(text, scope.outer)
  }

  /// The literal text up to the loop's number, in the group's prefix or in that of its first inner group.
  private func prefixBefore(_ mark: String, in prefix: String, _ nodes: [FamilyMap.Node]) -> String {
    if let range = prefix.firstRange(of: mark) { return String(prefix[..<range.lowerBound]) }
    if case .group(let first)? = nodes.first { return prefix + prefixBefore(mark, in: first.prefix, first.nodes) }
    return prefix
  }

  private mutating func add(
    _ name: String, _ role: String, _ shape: [SizeExpression], _ prefix: String, _ source: String, _ scope: Scope,
    _ isOptional: Bool, _ sameAs: String?
  ) throws(FamilyError) {
    let name = filled(name, scope)
    let sourceName = source + name
    let actual = probe.shape(folder: component.folder, name: sourceName)
    var sizes: [Int]? = []
    for (position, expression) in shape.enumerated() {
      var size = try value(expression, scope)
      if size == nil, let actual, actual.count == shape.count, let symbol = freeSymbol(expression, scope),
        actual[position] % symbol.coefficient == 0
      {
        symbols.bind(symbol.name, to: actual[position] / symbol.coefficient)
        size = actual[position]
      }
      if let size { sizes?.append(size) } else { sizes = nil }
    }
    result.append(
      ExpectedTensor(
        folder: component.folder, sourceName: sourceName, name: component.name + "." + prefix + name, role: role,
        shape: sizes, isOptional: isOptional, sameAs: sameAs))
  }
}

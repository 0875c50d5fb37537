import JSONText

/// What a command has found: facts, tables and findings, for people and for programs.
public struct Document: Sendable {
  /// The form of its JSON, such as `bantam.diff.2`: its members are described in `formats/json.md`.
  public let schema: String
  public private(set) var entries: [Entry] = []

  public enum Entry: Sendable {
    /// A line `title  value`, and a member of the JSON; without a key for people alone.
    case fact(key: String?, title: String, Cell)
    case table(Table)
    /// A sentence for people about what programs find elsewhere in the document.
    case note(String)
    /// Something that calls for action, for people; programs find it elsewhere in the document.
    case warning(String)
    /// Members for programs alone.
    case data(key: String, JSONValue)
    /// Lines for people alone that are set already, such as drawings.
    case drawing([String])
    case heading(String)
  }

  public init(schema: String) { self.schema = schema }

  public mutating func fact(_ key: String?, _ title: String, _ cell: Cell) {
    entries.append(.fact(key: key, title: title, cell))
  }

  public mutating func note(_ sentence: String) { entries.append(.note(sentence)) }

  public mutating func warn(_ sentence: String) { entries.append(.warning(sentence)) }

  public mutating func data(_ key: String, _ value: JSONValue) { entries.append(.data(key: key, value)) }

  public mutating func draw(_ lines: [String]) { entries.append(.drawing(lines)) }

  public mutating func head(_ title: String) { entries.append(.heading(title)) }

  public mutating func add(_ table: Table) { entries.append(.table(table)) }

  /// For programs: the schema, then facts, data and tables in their order. Nothing is folded or left out.
  public var json: JSONValue {
    var members = [JSONValue.Member("schema", .string(schema))]
    for entry in entries {
      switch entry {
      case .fact(let key?, _, let cell): members.append(.init(key, cell.json))
      case .data(let key, let value): members.append(.init(key, value))
      case .table(let table): if let key = table.key { members.append(.init(key, table.json)) }
      case .fact, .note, .warning, .drawing, .heading: break
      }
    }
    return .object(members)
  }
}

extension Table {
  /// An object a row.
  public var json: JSONValue {
    .array(
      rows.map { cells in
        .object(zip(columns, cells).compactMap { column, cell in column.key.map { .init($0, cell.json) } })
      })
  }
}

import Tensors

extension JSONValue {
  /// The text of this value: members in their order, numbers in shortest form, non-finite numbers as strings.
  ///
  /// - Parameter indent: spaces a level; nil writes one line without spaces.
  public func text(indent: Int? = nil) -> String {
    var out: [UInt8] = []
    write(to: &out, indent: indent, level: 0)
    return String(decoding: out, as: UTF8.self)
  }

  /// The lines of ``text(indent:)``.
  public func lines(indent: Int) -> [String] { text(indent: indent).split(separator: "\n").map(String.init) }

  private func write(to out: inout [UInt8], indent: Int?, level: Int) {
    func newline(_ level: Int) {
      guard let indent else { return }
      out.append(UInt8(ascii: "\n"))
      out += repeatElement(UInt8(ascii: " "), count: indent * level)
    }
    switch self {
    case .null: out += "null".utf8
    case .bool(let flag): out += (flag ? "true" : "false").utf8
    case .int(let number): out += String(number).utf8
    case .double(let number): out += (number.isFinite ? "\(number)" : "\"\(number)\"").utf8
    case .string(let text): JSONValue.quote(text.utf8, to: &out)
    case .array(let items):
      // Lists of plain values stay on one line: shapes and the like.
      let isFlat = items.allSatisfy { if case .array = $0 { false } else if case .object = $0 { false } else { true } }
      out.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { out += (isFlat && indent != nil ? ", " : ",").utf8 }
        if !isFlat { newline(level + 1) }
        item.write(to: &out, indent: indent, level: level + 1)
      }
      if !isFlat { newline(level) }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      out.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        newline(level + 1)
        JSONValue.quote(member.key.utf8, to: &out)
        out += (indent == nil ? ":" : ": ").utf8
        member.value.write(to: &out, indent: indent, level: level + 1)
      }
      if !members.isEmpty { newline(level) }
      out.append(UInt8(ascii: "}"))
    }
  }

  /// Appends a JSON string. What must not reach a terminal is escaped, so that a document may be shown as it is; all other text
  /// stands as it is, also beyond ASCII.
  public static func quote(_ utf8: some Collection<UInt8>, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for scalar in String(utf8: utf8).unicodeScalars {
      switch scalar {
      case "\"", "\\": out += [UInt8(ascii: "\\"), UInt8(ascii: scalar)]
      case "\n": out += "\\n".utf8
      case "\r": out += "\\r".utf8
      case "\t": out += "\\t".utf8
      case _ where scalar.isUnprintable: for unit in scalar.utf16 { escape(unit, to: &out) }
      default: out += scalar.utf8
      }
    }
    out.append(UInt8(ascii: "\""))
  }

  /// `\u001b`.
  private static func escape(_ unit: UInt16, to out: inout [UInt8]) {
    let hex = String(unit, radix: 16)
    out += "\\u".utf8
    out += repeatElement(UInt8(ascii: "0"), count: 4 - hex.utf8.count)
    out += hex.utf8
  }
}

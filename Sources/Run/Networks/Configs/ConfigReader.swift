import JSONText

/// Reads one config file, key by key. Every value is checked for type and range before it becomes a size.
package struct ConfigReader {
  package let file: String
  private let json: JSONValue
  /// Keys that lead to this part of the file.
  private var keys: [String] = []

  package var members: [JSONValue.Member] { json.object ?? [] }

  /// A key with those that lead to it.
  package func path(_ key: String) -> String { (keys + [key]).joined(separator: ".") }

  package init(file: String, _ bytes: [UInt8]) throws(ConfigError) {
    self.file = file
    do { json = try ConfigJSON.parse(bytes) } catch {
      throw .init(file: file, key: "", rule: error.explanation.problem)
    }
    guard json.object != nil else { throw .init(file: file, key: "", rule: "is not a JSON object") }
  }

  private init(file: String, json: JSONValue, keys: [String]) {
    self.file = file
    self.json = json
    self.keys = keys
  }

  package func has(_ key: String) -> Bool { json[key].map { $0 != .null } ?? false }

  package func isList(_ key: String) -> Bool { json[key]?.array != nil }

  /// An object below a key, or nil.
  package func section(_ key: String) -> ConfigReader? {
    guard let value = json[key], value.object != nil else { return nil }
    return ConfigReader(file: file, json: value, keys: keys + [key])
  }

  private func bad(_ key: String, _ rule: String) -> ConfigError { .init(file: file, key: path(key), rule: rule) }

  private func value(_ key: String) throws(ConfigError) -> JSONValue {
    guard let value = json[key], value != .null else { throw bad(key, "is missing") }
    return value
  }

  package func int(_ key: String, in range: ClosedRange<Int> = 1...1 << 24, default standard: Int? = nil)
    throws(ConfigError)
    -> Int
  {
    if let standard, !has(key) { return standard }
    guard case .int(let number) = try value(key) else { throw bad(key, "is not an integer") }
    guard range.contains(number) else { throw bad(key, "is \(number), out of the range \(range)") }
    return number
  }

  package func double(_ key: String, default standard: Double? = nil) throws(ConfigError) -> Double {
    if let standard, !has(key) { return standard }
    let number: Double
    switch try value(key) {
    case .int(let integer): number = Double(integer)
    case .double(let double): number = double
    default: throw bad(key, "is not a number")
    }
    guard number.isFinite else { throw bad(key, "is \(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")") }
    return number
  }

  package func bool(_ key: String, default standard: Bool) throws(ConfigError) -> Bool {
    guard has(key) else { return standard }
    guard let flag = try value(key).bool else { throw bad(key, "is not true or false") }
    return flag
  }

  package func text(_ key: String, default standard: String? = nil) throws(ConfigError) -> String {
    if let standard, !has(key) { return standard }
    guard let text = try value(key).string else { throw bad(key, "is not a string") }
    return text
  }

  /// A list of integers; a single one stands for `count` equal ones, as diffusers allows.
  package func ints(_ key: String, count: Int? = nil, in range: ClosedRange<Int> = 1...1 << 24) throws(ConfigError)
    -> [Int]
  {
    let value = try value(key)
    var numbers: [Int] = []
    if case .int(let one) = value, let count {
      numbers = Array(repeating: one, count: count)
    } else {
      guard let items = value.array else { throw bad(key, "is not a list") }
      for item in items {
        guard case .int(let number) = item else { throw bad(key, "has an entry that is not an integer") }
        numbers.append(number)
      }
    }
    if let count, numbers.count != count { throw bad(key, "has \(numbers.count) entries instead of \(count)") }
    guard !numbers.isEmpty, numbers.count <= 1024 else { throw bad(key, "has \(numbers.count) entries") }
    for number in numbers where !range.contains(number) {
      throw bad(key, "has \(number), out of the range \(range)")
    }
    return numbers
  }

  /// A list of numbers.
  package func doubles(_ key: String, count: Int) throws(ConfigError) -> [Double] {
    guard let items = try value(key).array, items.count == count else {
      throw bad(key, "is not a list of \(count) numbers")
    }
    var numbers: [Double] = []
    for item in items {
      guard let number = item.double, number.isFinite else {
        throw bad(key, "has an entry that is not a finite number")
      }
      numbers.append(number)
    }
    return numbers
  }

  package func texts(_ key: String) throws(ConfigError) -> [String] {
    guard let items = try value(key).array else { throw bad(key, "is not a list") }
    return items.map { $0.string ?? "" }
  }

  /// The shape of a tensor that takes the place of a key.
  /// - Throws: where it is missing, has another rank, or a dimension out of range.
  package func shape(_ name: String, rank: Int, in shapes: (String) -> [Int]?) throws(ConfigError) -> [Int] {
    guard let found = shapes(name), found.count == rank else {
      throw bad(name, "is not in the file, or has another rank")
    }
    for size in found where !(1...1 << 24).contains(size) { throw bad(name, "has a dimension of \(size)") }
    return found
  }

  /// Values of a head at most: blocks of attention are worked out in memory of fixed size.
  package static let headWidthLimit = 4096

  /// - Throws: where heads are wider than attention can hold.
  package func requireHeads(width: Int, _ key: String) throws(ConfigError) {
    try require(width <= Self.headWidthLimit, key, "gives heads of \(width) values, more than \(Self.headWidthLimit)")
  }

  /// - Throws: where a rule between values does not hold.
  package func require(_ holds: Bool, _ key: String, _ rule: String) throws(ConfigError) {
    guard holds else { throw bad(key, rule) }
  }
}

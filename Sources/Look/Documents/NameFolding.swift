/// Folds names that differ in numbers only into one line: `llm.layers.{0-27}.mlp.up_proj.weight`.
///
/// A line stands for exactly the names that it spells out: every combination of the numbers it shows.
public enum NameFolding {
  public struct Line: Sendable, Equatable {
    public let name: String
    /// Positions of the names in the list given.
    public let members: [Int]

    public init(name: String, members: [Int]) {
      self.name = name
      self.members = members
    }
  }

  private struct Entry {
    var literals: [Substring]
    var numbers: [[Int]]
    var members: [Int]
  }

  /// - Parameters:
  ///   - names: in the order in which lines shall come.
  ///   - likeness: only names with equal texts here are folded together, such as dtype and shape.
  public static func fold(_ names: [String], likeness: (Int) -> String) -> [Line] {
    var entries = names.indices.map { index in
      let (literals, numbers) = split(names[index])
      return Entry(literals: literals, numbers: numbers.map { [$0] }, members: [index])
    }
    let depth = entries.map(\.numbers.count).max() ?? 0
    for position in 0..<depth {
      var merged: [Entry] = []
      var places: [String: Int] = [:]
      for entry in entries {
        guard entry.numbers.count > position else {
          merged.append(entry)
          continue
        }
        var others = entry.numbers
        others[position] = []
        let key =
          entry.literals.joined(separator: "\u{1}") + "\u{2}\(others)\u{2}" + likeness(entry.members[0])
          + "\u{2}\(entry.members.count)"
        if let place = places[key] {
          merged[place].numbers[position] += entry.numbers[position]
          merged[place].members += entry.members
        } else {
          places[key] = merged.count
          merged.append(entry)
        }
      }
      // Entries that were merged once have more members: the key holds the count, so that only equals join.
      entries = merged
    }
    return entries.map { Line(name: text($0), members: $0.members) }
  }

  /// What tells each of the names of one line from the others: the numbers that vary, such as `13` or `2.0`.
  static func distinctions(_ names: [String]) -> [String] {
    let numbers = names.map { split($0).1 }
    guard let first = numbers.first, numbers.allSatisfy({ $0.count == first.count }) else { return names }
    let varying = first.indices.filter { position in numbers.contains { $0[position] != first[position] } }
    return numbers.map { own in varying.map { String(own[$0]) }.joined(separator: ".") }
  }

  /// Numbers of a name that are looked at. No model nests deeper, and a hostile name may hold thousands.
  private static let foldedPartCount = 8

  /// Literal pieces and the numbers between them. Only whole dotted parts count as numbers.
  private static func split(_ name: String) -> ([Substring], [Int]) {
    var literals: [Substring] = []
    var numbers: [Int] = []
    var start = name.startIndex
    var index = name.startIndex
    while index < name.endIndex {
      let atPart = index == name.startIndex || name[name.index(before: index)] == "."
      if atPart, name[index].isASCII, name[index].isNumber {
        let end = name[index...].firstIndex { !($0.isASCII && $0.isNumber) } ?? name.endIndex
        if numbers.count < foldedPartCount, end == name.endIndex || name[end] == ".",
          let number = Int(name[index..<end]),
          String(number) == name[index..<end]
        {
          literals.append(name[start..<index])
          numbers.append(number)
          start = end
        }
        index = end
      } else {
        index = name.index(after: index)
      }
    }
    literals.append(name[start...])
    return (literals, numbers)
  }

  private static func text(_ entry: Entry) -> String {
    var text = ""
    for (position, literal) in entry.literals.enumerated() {
      text += literal
      if position < entry.numbers.count { text += ranges(entry.numbers[position]) }
    }
    return text
  }

  /// `{0-3,7}`, or the bare number where there is one.
  static func ranges(_ numbers: [Int]) -> String {
    let sorted = Array(Set(numbers)).sorted()
    guard sorted.count > 1 else { return sorted.first.map(String.init) ?? "" }
    var parts: [String] = []
    var first = sorted[0]
    var last = sorted[0]
    for number in sorted.dropFirst().map(Optional.some) + [nil] {
      if let number, number - 1 == last {
        last = number
        continue
      }
      parts.append(first == last ? "\(first)" : (last == first + 1 ? "\(first),\(last)" : "\(first)-\(last)"))
      first = number ?? first
      last = number ?? last
    }
    return "{" + parts.joined(separator: ",") + "}"
  }
}

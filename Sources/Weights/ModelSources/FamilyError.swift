import Tensors

/// What can be wrong between a source and the map of its family.
public enum FamilyError: ReportingError, Equatable {
  case unknownFamily(name: String, known: [String])
  /// The map itself is malformed; a defect of the map's file.
  case badMap(family: String, rule: String)
  case config(path: String, rule: String)
  case configKey(path: String, key: String, rule: String)
  case notThisFamily(path: String, family: String, found: String)
  case unclaimed(path: String, count: Int, first: String, nearest: [String])
  /// Weights that another program has quantized, in a way that is not decoded.
  case quantizedElsewhere(path: String, program: String, first: String)
  case missing(path: String, component: String, count: Int, first: String, nearest: [String])
  case shape(path: String, tensor: String, expected: String, found: String)
  case noSuchComponent(path: String, name: String, has: [String])
  case componentAbsent(path: String, name: String, has: [String])
  case nameTwice(path: String, name: String)

  public var report: ErrorReport {
    func nearestText(_ names: [String]) -> String? {
      names.isEmpty ? nil : "Nearest: " + names.map { "'\($0)'" }.joined(separator: ", ")
    }
    switch self {
    case .unknownFamily(let name, let known):
      return ErrorReport(
        .usage, at: "family '\(name)'", "is not known", expected: known.joined(separator: ", "))
    case .badMap(let family, let rule):
      return ErrorReport(.defect, at: "formats/families/\(family).json", rule)
    case .config(let path, let rule): return ErrorReport(.badData, at: path, rule)
    case .configKey(let path, let key, let rule):
      return ErrorReport(.badData, at: path, "key '\(key)' \(rule)")
    case .notThisFamily(let path, let family, let found):
      return ErrorReport(
        .badData, at: path, "is not of family \(family)", found: found,
        hint: "Family generic takes any tensors under their own names")
    case .unclaimed(let path, let count, let first, let nearest):
      return ErrorReport(
        .badData, at: path,
        "\(count) tensor\(count == 1 ? "" : "s") that the family's map does not know, first '\(first)'",
        hint: [nearestText(nearest), "Family generic takes any tensors"].compactMap { $0 }.joined(separator: ". "))
    case .quantizedElsewhere(let path, let program, let first):
      return ErrorReport(
        .badData, at: path, "holds weights as parts of an encoding that is not decoded", found: program,
        hint: "First: '\(first)'. Family generic carries them as they are")
    case .missing(let path, let component, let count, let first, let nearest):
      return ErrorReport(
        .badData, at: path,
        "component '\(component)' lacks \(count) tensor\(count == 1 ? "" : "s"), first '\(first)'",
        hint: nearestText(nearest))
    case .shape(let path, let tensor, let expected, let found):
      return ErrorReport(
        .badData, at: path, "tensor '\(tensor)' does not fit the configuration",
        expected: expected, found: found)
    case .noSuchComponent(let path, let name, let has):
      return ErrorReport(
        .usage, at: path, "component '\(name)' is not known",
        expected: has.joined(separator: ", "))
    case .componentAbsent(let path, let name, let has):
      return ErrorReport(
        .badData, at: path,
        "component '\(name)' is not in this source (has: \(has.joined(separator: ", ")))")
    case .nameTwice(let path, let name):
      return ErrorReport(.badData, at: path, "two tensors would be named '\(name)'")
    }
  }
}

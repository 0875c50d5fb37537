import Conversion
import Encodings
import InputStatistics
import ModelSources
import Tensors

/// The tensors of a model among whose encodings a plan chooses: those that its family does not protect altogether, and whose errors are
/// known.
public struct PlanInputs: Sendable {
  public let tensors: [PlannedTensor]
  /// Names of those that would be among them if a table had a row for them: they stay as they are.
  public let unmeasured: [String]
  /// Measures that count, by the table or without one.
  public let measures: [Measure]

  /// How much more an error counts of what is known by role to need 8 bits, where nothing was measured.
  private static let roleFactor = 30.0

  /// The encodings that a plan may choose from.
  public static var encodings: [any Encoding] { [.book3, .book4, .book4Fine, .book5, .book6, .even8] }

  /// - Throws: ``PlanningError/ofAnotherModel(path:)``.
  public init(
    _ source: ModelSource, _ map: ModelMap, components: [String]?, table: SensitivityTable, path: String
  ) throws {
    let effects = table.effects()
    let candidates = try Self.candidates(source, map, components)
    unmeasured = candidates.map(\.tensor.name.text).filter { effects[$0] == nil }
    tensors = candidates.compactMap { candidate in
      effects[candidate.tensor.name.text].map { known in
        candidate.planned(source) { known[$0] }
      }
    }
    guard !tensors.isEmpty else { throw PlanningError.ofAnotherModel(path: path) }
    let known = Set(table.rows.flatMap(\.effects.keys))
    // What a picture shows hangs on its latents, which are finer.
    let counting: [Measure] = [.divergence, .features, .latents]
    measures = counting.filter(known.contains)
  }

  /// Without a table: by the errors of all encodings, which are tried here.
  /// - Parameter progress: called from any thread.
  public init(
    _ source: ModelSource, _ map: ModelMap, components: [String]?, statistics: StatisticsFile?, resources: Resources,
    progress: @Sendable (_ done: Int, _ count: Int, _ name: String) -> Void
  ) throws {
    let candidates = try Self.candidates(source, map, components)
    let errors = try TrialEncoding.relativeErrors(
      source, candidates.map(\.tensor), Self.encodings, statistics, resources, progress: progress)
    tensors = candidates.map { candidate in
      let factor = candidate.level == .int8 ? Self.roleFactor : 1
      let count = Double(source.tensors[candidate.tensor.number].info.elementCount)
      return candidate.planned(source) { encoding in
        errors[candidate.tensor.name.text]?[encoding].map { [.weights: factor * count * $0] }
      }
    }
    measures = [.weights]
    unmeasured = []
  }

  private struct Candidate {
    let tensor: ModelMap.Tensor
    let component: String
    let level: QuantizationPolicy.Level
    var repeats: [String] = []

    func planned(_ source: ModelSource, effects: (String) -> Effects?) -> PlannedTensor {
      let info = source.tensors[tensor.number].info
      let options = encodings.compactMap { encoding -> PlannedTensor.Option? in
        guard let effects = effects(encoding.shortName), let shape = encoding.shape(forWriting: info),
          let planes = encoding.planes(of: shape)
        else { return nil }
        return .init(encoding: encoding, byteCount: planes.reduce(0) { $0 + $1.byteCount }, effects: effects)
      }
      return PlannedTensor(
        name: tensor.name.text, role: tensor.role, component: component, elementCount: info.elementCount,
        options: options + [.init(encoding: nil, byteCount: info.byteCount, effects: [:])], repeats: repeats)
    }
  }

  private static func candidates(
    _ source: ModelSource, _ map: ModelMap, _ components: [String]?
  ) throws -> [Candidate] {
    var (found, places): ([Candidate], [TensorName: Int]) = ([], [:])
    for component in try map.selected(components, path: source.path) {
      for tensor in component.tensors {
        let info = source.tensors[tensor.number].info
        let level = map.quantization.level(role: tensor.role, component: component.name)
        // A recipe's rules are patterns: names that would be taken for one are left alone.
        guard level != .keep, !tensor.name.text.contains(where: { "*?[".contains($0) }), info.shape.count >= 2,
          info.dtype.isFloat, info.elementCount > 0
        else { continue }
        if let first = tensor.sameAs.flatMap({ places[$0] }),
          source.tensors[found[first].tensor.number].info.shape == info.shape,
          source.tensors[found[first].tensor.number].info.dtype == info.dtype,
          try source.hasSameBytes(
            tensor.number, as: found[first].tensor.number, of: source, Resources(threadCount: 1))
        {
          found[first].repeats.append(tensor.name.text)
          continue
        }
        places[tensor.name] = found.count
        found.append(Candidate(tensor: tensor, component: component.name, level: level))
      }
    }
    return found
  }
}

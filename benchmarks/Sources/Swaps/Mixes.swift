import Bantam
import Foundation

private let widths = ["book3", "book4", "book6"]

/// Tensors that get one encoding together.
private let classes: [(name: String, holds: @Sendable (String) -> Bool)] = [
  ("vision", { $0.hasPrefix("vision.") }), ("llm attention", { $0.contains("self_attn") }),
  ("llm feed-forward", { $0.hasPrefix("llm.") && $0.contains(".mlp.") }),
  ("dit attention", { $0.contains(".attn") && $0.hasPrefix("dit.") }),
  ("dit feed-forward", { $0.contains(".feed_forward.") }),
  ("unet attention", { $0.contains("attn") && $0.hasPrefix("unet.") }),
  ("unet feed-forward", { $0.hasPrefix("unet.") && $0.contains(".ff.") }),
  ("unet convolutions", { $0.hasPrefix("unet.") && $0.contains("conv") }),
]

/// Measures every mix into which nothing better fits, beside the one that a planner chooses from the table.
func mixes(_ trials: Trials, _ inputs: PlanInputs, bits: Double) throws {
  var members: [[PlannedTensor]] = classes.map { _ in [] }
  for tensor in inputs.tensors {
    if let place = classes.firstIndex(where: { $0.holds(tensor.name) }) { members[place].append(tensor) }
  }
  let groups = zip(classes, members).map { group, members in
    PlannedTensor(
      name: group.name, role: "", component: "", elementCount: members.reduce(0) { $0 + $1.elementCount },
      options: widths.compactMap { width in
        let options = members.compactMap {
          $0.options.first { $0.encodingName.hasPrefix(width + "-") || $0.encodingName == width }
        }
        guard options.count == members.count, let encoding = options.first?.encoding else { return nil }
        return .init(
          encoding: encoding, byteCount: options.reduce(0) { $0 + $1.byteCount },
          effects: options.reduce(into: [:]) { $0.merge($1.effects) { $0 + $1 } })
      })
  }
  let byteCount = Int(bits * Double(groups.reduce(0) { $0 + $1.elementCount }) / 8)
  let plan = try BudgetPlanner(groups, measures: inputs.measures).plan(byteCount: byteCount)
  func bytes(_ mix: [Int]) -> Int { groups.indices.reduce(0) { $0 + groups[$1].options[mix[$1]].byteCount } }
  func isFull(_ mix: [Int]) -> Bool {
    let room = byteCount - bytes(mix)
    return room >= 0
      && groups.indices.allSatisfy { place in
        groups[place].options.indices.dropFirst(mix[place] + 1).allSatisfy {
          groups[place].options[$0].byteCount - groups[place].options[mix[place]].byteCount > room
        }
      }
  }
  var all: [[Int]] = [[]]
  for group in groups { all = all.flatMap { mix in group.options.indices.map { mix + [$0] } } }
  let full = all.filter(isFull)
  print("\(all.count) mixes, \(full.count) of them fit with no room for a better one")
  func trial(_ model: Model, _ place: Int, _ option: Int) throws -> Model {
    try trials.replacing(
      model, members[place].flatMap { [$0.name] + $0.repeats }, groups[place].options[option].encoding)
  }
  func measured(_ mix: [Int]) throws -> [Measure: Double] {
    try trials.effects(groups.indices.reduce(trials.model) { try trial($0, $1, mix[$1]) })
  }
  let floors = try measured(groups.map { $0.options.count - 1 })
  // In their order neighbours share most of their classes, whose codes are kept.
  var models: [Model] = []
  var last: [Int] = []
  var found: [(mix: [Int], value: Double)] = []
  for mix in full {
    let shared = zip(mix, last).prefix { $0 == $1 }.count
    models = Array(models.prefix(shared))
    for place in shared..<mix.count { models.append(try trial(models.last ?? trials.model, place, mix[place])) }
    last = mix
    found.append((mix, Trials.objective(try trials.effects(models.last!), floors: floors)))
  }
  found.sort { $0.value < $1.value }
  let chosen = Trials.objective(try measured(plan.choices), floors: floors)
  func text(_ mix: [Int]) -> String {
    zip(groups, mix).map { "\($0.name) \($0.options[$1].encodingName)" }.joined(separator: ", ")
  }
  print("planned: \(text(plan.choices))")
  print("best:    \(text(found[0].mix))")
  let rank = found.count { $0.value < chosen }
  print(
    "planned over best \(String(format: "%.3f", chosen / found[0].value)), \(rank) of \(found.count) measure better")
  print("median over best  \(String(format: "%.3f", found[found.count / 2].value / found[0].value))")
}

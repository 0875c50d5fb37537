import Bantam
import Foundation

/// The choices of a plan with two tensors changed.
private struct Exchange {
  let up: (tensor: Int, option: Int)
  let down: (tensor: Int, option: Int)
  /// By the table: the change of what a planner makes small.
  let predicted: Double
}

/// Tries the most promising exchanges one after another, each from the best mix so far; then runs the planned mix and the best one
/// on subjects that neither was chosen by.
func swaps(_ trials: Trials, judging: Trials, _ inputs: PlanInputs, bits: Double, count: Int) throws {
  let tensors = inputs.tensors
  let byteCount = Int(bits * Double(tensors.reduce(0) { $0 + $1.elementCount }) / 8)
  let plan = try BudgetPlanner(tensors, measures: inputs.measures).plan(byteCount: byteCount)
  let finest = tensors.map { tensor in tensor.options.lastIndex { $0.encoding != nil } ?? 0 }
  let floors = try trials.effects(trials.model(tensors, finest))
  var choices = plan.choices
  var model = try trials.model(tensors, choices)
  var best = try trials.effects(model)
  let first = Trials.objective(best, floors: floors)
  print("planned   \(String(format: "%.3f", plan.bitsPerWeight)) bits  \(shown(best))")
  print("predicted                \(shown(plan.predicted))")

  var kept = 0
  var tried: Set<[Int]> = []
  for _ in 0..<count {
    fflush(nil)
    let used = tensors.indices.reduce(0) { $0 + tensors[$1].options[choices[$1]].byteCount }
    guard let exchange = next(tensors, choices, room: byteCount - used, best, floors, tried) else { break }
    tried.insert([exchange.up.tensor, exchange.up.option, exchange.down.tensor, exchange.down.option])
    var other = choices
    other[exchange.up.tensor] = exchange.up.option
    other[exchange.down.tensor] = exchange.down.option
    let changed = [exchange.up, exchange.down]
    let trial = try changed.reduce(model) { trial, change in
      let tensor = tensors[change.tensor]
      return try trials.replacing(trial, [tensor.name] + tensor.repeats, tensor.options[change.option].encoding)
    }
    let found = try trials.effects(trial)
    if Trials.objective(found, floors: floors) < Trials.objective(best, floors: floors) {
      (choices, model, best, kept) = (other, trial, found, kept + 1)
      print(
        "kept \(kept) after \(tried.count): \(tensors[exchange.up.tensor].name) up, \(tensors[exchange.down.tensor].name) down  "
          + String(format: "%.4f", Trials.objective(best, floors: floors) / first))
    }
  }
  print("after \(tried.count) exchanges, \(kept) kept: \(shown(best))")
  print(
    "what is made small is \(String(format: "%.3f", Trials.objective(best, floors: floors) / first)) of what it was")

  let unseenFloors = try judging.effects(judging.model(tensors, finest))
  let unseen = try [plan.choices, choices].map { try judging.effects(judging.model(tensors, $0)) }
  print("on other subjects, planned  \(shown(unseen[0]))\non other subjects, found    \(shown(unseen[1]))")
  let ratio = Trials.objective(unseen[1], floors: unseenFloors) / Trials.objective(unseen[0], floors: unseenFloors)
  print("there it is \(String(format: "%.3f", ratio)) of what it was")
}

/// The most promising exchange by the table that fits and was not tried.
private func next(
  _ tensors: [PlannedTensor], _ choices: [Int], room: Int, _ now: [Measure: Double], _ floors: [Measure: Double],
  _ tried: Set<[Int]>
) -> Exchange? {
  // Near the mix, what is made small changes by each measure's part of itself.
  func change(_ tensor: Int, _ option: Int) -> Double {
    let (from, to) = (tensors[tensor].options[choices[tensor]].effects, tensors[tensor].options[option].effects)
    var sum = 0.0
    for measure in [Measure.divergence, .features, .latents] {
      let total: Double = (now[measure] ?? 0) + (floors[measure] ?? 0)
      sum += ((to[measure] ?? 0) - (from[measure] ?? 0)) / total
    }
    return sum
  }
  func extra(_ tensor: Int, _ option: Int) -> Int {
    tensors[tensor].options[option].byteCount - tensors[tensor].options[choices[tensor]].byteCount
  }
  // A tensor that has an encoding keeps one.
  let ups = tensors.indices.filter { choices[$0] + 1 < tensors[$0].options.count }.map { ($0, choices[$0] + 1) }
    .filter { tensors[$0.0].options[$0.1].encoding != nil }
  let downs = tensors.indices.filter { choices[$0] > 0 }.map { ($0, choices[$0] - 1) }
  let downChanges = downs.map { (change($0.0, $0.1), extra($0.0, $0.1)) }
  var best: Exchange?
  for up in ups {
    let (gain, cost) = (change(up.0, up.1), extra(up.0, up.1))
    for (down, (loss, freed)) in zip(downs, downChanges) where down.0 != up.0 && cost + freed <= room {
      if gain + loss < best?.predicted ?? .infinity, !tried.contains([up.0, up.1, down.0, down.1]) {
        best = Exchange(up: up, down: down, predicted: gain + loss)
      }
    }
  }
  return best
}

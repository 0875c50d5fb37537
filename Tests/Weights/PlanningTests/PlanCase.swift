import Foundation
import Planning
import TestSupport

/// Tensors of a model that nobody has, each in three encodings: of what an error does, a bit more takes three quarters.
struct PlanCase {
  let tensors: [PlannedTensor]
  let measures: [Measure]

  init(seed: UInt64, count: Int, measures: [Measure]) {
    var generator = SeededGenerator(seed)
    func uniform() -> Double { Double(generator.next() >> 11) / Double(1 << 53) }
    self.measures = measures
    tensors = (0..<count).map { number in
      let elementCount = 1024 * (1 + Int(generator.next() % 16))
      let harm = measures.map { _ in exp(4 * uniform() - 2) }
      let options = [3.25, 4.25, 6.25].map { bits -> PlannedTensor.Option in
        var effects: Effects = [:]
        for (measure, harm) in zip(measures, harm) {
          effects[measure] = harm * Double(elementCount) * exp2(-2 * bits) * (0.7 + 0.6 * uniform())
        }
        return .init(encoding: nil, byteCount: Int(Double(elementCount) * bits / 8), effects: effects)
      }
      return PlannedTensor(
        name: "t\(number)", role: "matrix", component: "llm", elementCount: elementCount, options: options)
    }
  }

  var planner: BudgetPlanner { BudgetPlanner(tensors, measures: measures) }

  /// So many budgets, from the smallest size to the largest.
  func budgets(_ count: Int) -> [Int] {
    let (least, most) = (planner.leastByteCount, planner.mostByteCount)
    return (0..<count).map { least + (most - least) * $0 / (count - 1) }
  }

  /// What is to be small: the product of the totals of all measures.
  func product(_ plan: BudgetPlan) -> Double { measures.reduce(1) { $0 * (plan.predicted[$1] ?? 0) } }

  /// A choice for each tensor: its bytes, and its totals by measure.
  struct Mix {
    var byteCount: Int
    var totals: [Double]
    var product: Double { totals.reduce(1, *) }
  }

  /// All that there are.
  var mixes: [Mix] {
    tensors.reduce([Mix(byteCount: 0, totals: measures.map { _ in 0 })]) { mixes, tensor in
      mixes.flatMap { mix in
        tensor.options.map { option in
          Mix(
            byteCount: mix.byteCount + option.byteCount,
            totals: zip(mix.totals, measures).map { $0 + (option.effects[$1] ?? 0) })
        }
      }
    }
  }

  /// The totals of the best mix under weights of the measures, where parts of tensors may have encodings of their own: no
  /// mix of whole tensors has a smaller weighted sum.
  func bestOfParts(byteCount: Int, weights: [Double]) -> [Double] {
    func effects(_ option: PlannedTensor.Option) -> [Double] { measures.map { option.effects[$0] ?? 0 } }
    func cost(_ option: PlannedTensor.Option) -> Double { zip(effects(option), weights).reduce(0) { $0 + $1.0 * $1.1 } }
    var steps: [(rate: Double, from: PlannedTensor.Option, to: PlannedTensor.Option)] = []
    for tensor in tensors {
      // Along the lower hull of its options, steepest first.
      var place = 0
      while place + 1 < tensor.options.count {
        let rates = tensor.options[(place + 1)...].map { option in
          (cost(tensor.options[place]) - cost(option)) / Double(option.byteCount - tensor.options[place].byteCount)
        }
        let next = rates.indices.max { rates[$0] < rates[$1] }!
        guard rates[next] > 0 else { break }
        steps.append((rates[next], tensor.options[place], tensor.options[place + 1 + next]))
        place += 1 + next
      }
    }
    var room = Double(byteCount - planner.leastByteCount)
    var totals = measures.map { measure in tensors.reduce(0) { $0 + ($1.options[0].effects[measure] ?? 0) } }
    for step in steps.sorted(by: { $0.rate > $1.rate }) where room > 0 {
      let byteCount = Double(step.to.byteCount - step.from.byteCount)
      let part = min(1, room / byteCount)
      let (before, behind) = (effects(step.from), effects(step.to))
      for number in totals.indices { totals[number] += part * (behind[number] - before[number]) }
      room -= byteCount
    }
    return totals
  }
}

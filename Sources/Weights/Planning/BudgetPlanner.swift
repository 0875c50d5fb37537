import Foundation

/// Chooses encodings so that together they take at most so many bytes and what they do to the results is small.
///
/// Several measures have no common unit: what is made small is the product of the totals of all that count, so that a percent of
/// one is worth a percent of another; to each is added what all tensors do in their most precise encodings, since less than that nobody
/// sees, and nothing is worth making it zero. It is found by steps: each counts a unit of a measure as one over its total in the step before.
/// Within a step, a tensor after another is given the next better encoding where that gains most a byte; then pairs
/// of tensors change places as long as that gains anything. Nothing depends on chance or on threads.
public struct BudgetPlanner: Sendable {
  private let tensors: [PlannedTensor]
  /// What is to be small.
  private let measures: [Measure]
  /// What is done where every tensor has its most precise encoding.
  private let floors: Effects

  /// - Parameter measures: those that count; all others are predicted only.
  public init(_ tensors: [PlannedTensor], measures: [Measure]) {
    self.tensors = tensors
    self.measures = measures
    floors = tensors.reduce([:]) { $0 + ($1.options.last { $0.encoding != nil }?.effects ?? [:]) }
  }

  public var leastByteCount: Int { tensors.reduce(0) { $0 + $1.options[0].byteCount } }
  public var mostByteCount: Int { tensors.reduce(0) { $0 + $1.options.last!.byteCount } }

  /// - Throws: ``PlanningError/budgetTooSmall(asked:least:)``.
  public func plan(byteCount: Int) throws(PlanningError) -> BudgetPlan {
    guard byteCount >= leastByteCount else { throw .budgetTooSmall(asked: byteCount, least: leastByteCount) }
    if let all = allMixes { return best(of: all, within: byteCount) }
    // The totals with all tensors at their smallest set the first units.
    var weights = unit(BudgetPlan(tensors, choices: tensors.map { _ in 0 }, weights: [:]).predicted)
    var best: BudgetPlan?
    for _ in 0..<8 {
      let found = BudgetPlan(tensors, choices: choices(within: byteCount, weights), weights: weights)
      if best.map({ product(found) < product($0) }) ?? true { best = found }
      weights = unit(found.predicted)
    }
    return best!
  }

  /// The smallest plan whose predicted measure is at most `bound`.
  /// - Throws: ``PlanningError/boundTooTight(measure:asked:best:)``.
  public func plan(bound: Double, on measure: Measure) throws(PlanningError) -> BudgetPlan {
    func value(_ plan: BudgetPlan) -> Double { plan.predicted[measure] ?? 0 }
    var (low, high) = (leastByteCount, mostByteCount)
    var best = try plan(byteCount: high)
    guard value(best) <= bound else {
      throw .boundTooTight(measure: measure.rawValue, asked: bound, best: value(best))
    }
    while high - low > max(1, mostByteCount >> 14) {
      let middle = low + (high - low) / 2
      let found = try plan(byteCount: middle)
      if value(found) <= bound { (best, high) = (found, middle) } else { low = middle }
    }
    return best
  }

  /// Every mix, where there are few.
  private var allMixes: [[Int]]? {
    var count = 1
    for tensor in tensors {
      count *= tensor.options.count
      guard count <= 1 << 14 else { return nil }
    }
    return tensors.reduce([[]]) { mixes, tensor in
      mixes.flatMap { mix in tensor.options.indices.map { mix + [$0] } }
    }
  }

  private func best(of mixes: [[Int]], within byteCount: Int) -> BudgetPlan {
    var best: (plan: BudgetPlan, product: Double)?
    for mix in mixes {
      let plan = BudgetPlan(tensors, choices: mix, weights: [:])
      guard plan.byteCount <= byteCount else { continue }
      let product = product(plan)
      if best.map({ product < $0.product }) ?? true { best = (plan, product) }
    }
    let found = best!.plan
    return BudgetPlan(tensors, choices: found.choices, weights: unit(found.predicted))
  }

  private func unit(_ totals: Effects) -> Effects {
    var weights: Effects = [:]
    for measure in measures {
      let total = (totals[measure] ?? 0) + (floors[measure] ?? 0)
      if total > 0 { weights[measure] = 1 / total }
    }
    return weights
  }

  private func product(_ plan: BudgetPlan) -> Double {
    let totals = plan.predicted
    return measures.reduce(0) { $0 + log(max((totals[$1] ?? 0) + (floors[$1] ?? 0), 1e-300)) }
  }

  private func choices(within byteCount: Int, _ weights: Effects) -> [Int] {
    let costs = tensors.map { tensor in
      tensor.options.map { option in
        weights.sorted { $0.key.rawValue < $1.key.rawValue }.reduce(0) { $0 + $1.value * (option.effects[$1.key] ?? 0) }
      }
    }
    var choices = tensors.map { _ in 0 }
    var room = byteCount - leastByteCount
    while let step = bestStep(choices, costs, room) {
      room -= extra(step.tensor, from: choices[step.tensor], to: step.option)
      choices[step.tensor] = step.option
    }
    exchange(&choices, costs, &room)
    return choices
  }

  private func extra(_ tensor: Int, from: Int, to: Int) -> Int {
    tensors[tensor].options[to].byteCount - tensors[tensor].options[from].byteCount
  }

  /// The step that gains most a byte, of those that there is room for.
  private func bestStep(_ choices: [Int], _ costs: [[Double]], _ room: Int) -> (tensor: Int, option: Int)? {
    var best: (tensor: Int, option: Int)?
    var most = 0.0
    for tensor in tensors.indices {
      for option in choices[tensor] + 1..<max(choices[tensor] + 1, costs[tensor].count) {
        let bytes = extra(tensor, from: choices[tensor], to: option)
        let gain = costs[tensor][choices[tensor]] - costs[tensor][option]
        guard bytes <= room, gain > 0 else { continue }
        let rate = gain / Double(max(1, bytes))
        if rate > most { (most, best) = (rate, (tensor, option)) }
      }
    }
    return best
  }

  /// Lets one tensor give bytes to another as long as that gains anything.
  private func exchange(_ choices: inout [Int], _ costs: [[Double]], _ room: inout Int) {
    for _ in 0..<tensors.count {
      var best: (giver: (Int, Int), taker: (Int, Int))?
      var most = 0.0
      // For each tensor that might give, all that might take.
      let takers = tensors.indices.flatMap { tensor in
        tensors[tensor].options.indices.compactMap { option -> (tensor: Int, option: Int, bytes: Int, gain: Double)? in
          let gain = costs[tensor][choices[tensor]] - costs[tensor][option]
          return gain > 0 ? (tensor, option, extra(tensor, from: choices[tensor], to: option), gain) : nil
        }
      }.sorted { ($0.gain, $1.tensor) > ($1.gain, $0.tensor) }
      for giver in tensors.indices {
        for option in 0..<choices[giver] {
          let freed = -extra(giver, from: choices[giver], to: option)
          let loss = costs[giver][option] - costs[giver][choices[giver]]
          for taker in takers {
            guard taker.gain - loss > most else { break }
            guard taker.tensor != giver, taker.bytes <= room + freed else { continue }
            (most, best) = (taker.gain - loss, ((giver, option), (taker.tensor, taker.option)))
            break
          }
        }
      }
      guard let best, most > 1e-12 else { return }
      room -= extra(best.giver.0, from: choices[best.giver.0], to: best.giver.1)
      choices[best.giver.0] = best.giver.1
      room -= extra(best.taker.0, from: choices[best.taker.0], to: best.taker.1)
      choices[best.taker.0] = best.taker.1
    }
  }
}

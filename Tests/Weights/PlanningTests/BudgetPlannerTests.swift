import Encodings
import Foundation
import Planning
import Quantization
import Testing
import TestSupport

/// Encodings are chosen so that all fit, and so that hardly any other choice that fits loses less.
@Suite struct BudgetPlannerTests {
  private static let measures: [[Measure]] = [[.latents], [.features, .latents]]

  @Test(arguments: measures) func noBudgetIsEverExceededAndPlansRepeat(measures: [Measure]) throws {
    for seed in 0..<20 {
      let made = PlanCase(seed: UInt64(seed), count: 12, measures: measures)
      for budget in made.budgets(31) {
        let plan = try made.planner.plan(byteCount: budget)
        #expect(plan.byteCount <= budget)
        #expect(plan.choices.count == 12 && plan.choices.allSatisfy { (0..<3).contains($0) })
        #expect(try made.planner.plan(byteCount: budget).choices == plan.choices)
      }
    }
  }

  @Test func theEndsAreTheSmallestAndTheBest() throws {
    let made = PlanCase(seed: 1, count: 12, measures: [.latents])
    let planner = made.planner
    #expect(try planner.plan(byteCount: planner.leastByteCount).choices == [Int](repeating: 0, count: 12))
    #expect(try planner.plan(byteCount: planner.mostByteCount).choices == [Int](repeating: 2, count: 12))
    #expect(try planner.plan(byteCount: .max).choices == [Int](repeating: 2, count: 12))
    // With all at their best, what is predicted is the sum of what each does.
    let plan = try planner.plan(byteCount: planner.mostByteCount)
    let sum = made.tensors.reduce(0) { $0 + $1.options[2].effects[.latents]! }
    #expect(abs(plan.predicted[.latents]! / sum - 1) < 1e-12)
    #expect(plan.byteCount == planner.mostByteCount)
    #expect(abs(plan.bitsPerWeight - 8 * Double(plan.byteCount) / Double(plan.elementCount)) < 1e-12)
  }

  /// Every mix of six tensors, or of six roles, is looked at: none that fits is better.
  @Test(arguments: measures) func ofFewTensorsTheBestMixIsFound(measures: [Measure]) throws {
    for seed in 0..<8 {
      let made = PlanCase(seed: UInt64(seed), count: 6, measures: measures)
      let mixes = made.mixes
      #expect(mixes.count == 729)
      for budget in made.budgets(21) {
        let found = made.product(try made.planner.plan(byteCount: budget))
        let least = mixes.filter { $0.byteCount <= budget }.map(\.product).min()!
        #expect(abs(found / least - 1) < 1e-9, "seed \(seed), \(budget)")
      }
    }
  }

  /// Of nine there are too many mixes to look at all: what is found by steps is near the best in the mean.
  @Test(arguments: measures) func ofMoreTensorsHardlyAnyMixIsBetter(measures: [Measure]) throws {
    var ratios: [Double] = []
    for seed in 0..<3 {
      let made = PlanCase(seed: UInt64(seed), count: 9, measures: measures)
      let mixes = made.mixes
      for budget in made.budgets(7).dropFirst().dropLast() {
        let found = made.product(try made.planner.plan(byteCount: budget))
        let least = mixes.filter { $0.byteCount <= budget }.map(\.product).min()!
        ratios.append(found / least)
      }
    }
    #expect(ratios.reduce(0, +) / Double(ratios.count) < 1.1)
  }

  /// Where tensors are many, as in a model, the plan is as good as none of whole tensors can surpass by much.
  @Test func aMeasureOfManyTensorsIsNearItsLeast() throws {
    for seed in 0..<3 {
      let made = PlanCase(seed: UInt64(seed), count: 100, measures: [.latents])
      for budget in made.budgets(9).dropFirst().dropLast() {
        let found = made.product(try made.planner.plan(byteCount: budget))
        let least = made.bestOfParts(byteCount: budget, weights: [1])[0]
        #expect(found >= least * (1 - 1e-9) && found <= 1.02 * least, "seed \(seed): \(found / least)")
      }
    }
  }

  /// The same of the product of two totals, beside the best under any weights of the two.
  @Test func twoMeasuresTogetherAreNearTheirLeast() throws {
    for seed in 0..<3 {
      let made = PlanCase(seed: UInt64(seed), count: 100, measures: [.features, .latents])
      for budget in made.budgets(9).dropFirst().dropLast() {
        let found = made.product(try made.planner.plan(byteCount: budget))
        let least = (-40...40).map { weight in
          made.bestOfParts(byteCount: budget, weights: [exp(Double(weight) / 8), 1]).reduce(1, *)
        }.min()!
        #expect(found <= 1.1 * least, "seed \(seed): \(found / least)")
      }
    }
  }

  /// A bound is met, by hardly more bytes than the smallest of all mixes that meet it takes.
  @Test(arguments: measures) func aBoundIsMetBySmallPlans(measures: [Measure]) throws {
    for seed in 0..<20 {
      let made = PlanCase(seed: UInt64(seed), count: 6, measures: measures)
      let mixes = made.mixes
      let (low, high) = (mixes.map { $0.totals[0] }.min()!, mixes.map { $0.totals[0] }.max()!)
      for step in 1..<12 {
        let bound = low * pow(high / low, Double(step) / 12)
        let plan = try made.planner.plan(bound: bound, on: measures[0])
        #expect(plan.predicted[measures[0]]! <= bound)
        let smallest = mixes.filter { $0.totals[0] <= bound }.map(\.byteCount).min()!
        // What another measure asks for takes bytes as well.
        if measures.count == 1 { #expect(Double(plan.byteCount) <= 1.06 * Double(smallest), "seed \(seed), \(bound)") }
      }
    }
  }

  @Test func whatCannotBeIsTold() {
    let made = PlanCase(seed: 3, count: 6, measures: [.divergence])
    let (planner, least) = (made.planner, made.planner.leastByteCount)
    for asked in [0, least - 1] {
      #expect(throws: PlanningError.budgetTooSmall(asked: asked, least: least)) { try planner.plan(byteCount: asked) }
    }
    #expect {
      try planner.plan(bound: 1e-12, on: .divergence)
    } throws: {
      caseName($0) == "boundTooTight"
    }
  }

  // MARK: What a plan says

  /// Two tensors, one whose errors are felt in words, one whose errors are felt in pictures.
  private static let two = [
    PlannedTensor(
      name: "a", role: "matrix", component: "llm", elementCount: 1000,
      options: [
        .init(encoding: nil, byteCount: 2000, effects: [:]),
        .init(encoding: BookEncoding.even8, byteCount: 1050, effects: [.divergence: 0.01, .latents: 0.0001]),
        .init(encoding: BookEncoding.book4, byteCount: 550, effects: [.divergence: 1, .latents: 0.01]),
      ]),
    PlannedTensor(
      name: "b", role: "conv", component: "unet", elementCount: 1000,
      options: [
        .init(encoding: BookEncoding.book4, byteCount: 550, effects: [.divergence: 0.01, .latents: 1]),
        .init(encoding: nil, byteCount: 2000, effects: [:]),
      ]),
  ]

  @Test func optionsAreOrderedByTheirBytes() {
    #expect(Self.two[0].options.map(\.encodingName) == ["book4", "even8", "keep"])
    let same = PlannedTensor(
      name: "c", role: "", component: "", elementCount: 1,
      options: [3, 1, 3].enumerated().map { .init(encoding: nil, byteCount: $1, effects: [.weights: Double($0)]) })
    #expect(same.options.map { $0.effects[.weights] } == [1, 0, 2], "equal bytes keep their order")
  }

  @Test func aPlanIsARecipeByName() throws {
    let planner = BudgetPlanner(Self.two, measures: [.divergence, .latents])
    let plan = try planner.plan(byteCount: 1100)
    #expect(
      plan.recipe
        == QuantizationRecipe(
          defaultEncoding: nil,
          rules: [.init(pattern: "a", action: .encode(.book4)), .init(pattern: "b", action: .encode(.book4))]))
    #expect(plan.bitsPerWeight == 4.4 && plan.elementCount == 2000)
    #expect((0..<2).map(plan.worstMeasure) == [Measure.divergence, .latents])
    let exact = try planner.plan(byteCount: 4000)
    #expect(exact.recipe.rules.map(\.action) == [.keep, .keep])
    #expect((0..<2).allSatisfy { exact.worstMeasure($0) == nil } && exact.predicted.isEmpty)
  }

  /// Measures that do not count are told all the same.
  @Test func everyMeasureIsPredicted() throws {
    let plan = try BudgetPlanner(Self.two, measures: [.latents]).plan(byteCount: 1100)
    #expect(abs(plan.predicted[.divergence]! - 1.01) < 1e-12 && abs(plan.predicted[.latents]! - 1.01) < 1e-12)
    #expect((0..<2).map(plan.worstMeasure) == [Measure.latents, .latents])
  }
}

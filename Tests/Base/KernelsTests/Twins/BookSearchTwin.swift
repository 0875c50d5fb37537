/// The search for the scale, the shift and the codes of one group: finite values of one row, the row's magnitudes near
/// 1.
struct BookSearchTwin {
  let values: [Float]
  /// What an error counts, for each value; nil where all count the same.
  let importance: [Float]?
  let book: BookTwin
  /// `passed[c][k]`: the part of the error of value c that value k > c takes up; nil where each is rounded for itself.
  var passed: [[Float]]?

  /// A scale, the number of a shift, and what they are worth: the squares of the values less the squared error.
  struct Choice {
    var scale: Float = 0
    var shift = 0
    var worth: Float = 0
  }

  private func reciprocal(_ x: Float) -> Float { x == 0 ? 0 : 1 / x }

  /// Codes are found by counting the places between levels that lie below; those are halves, exact in f32. NaN, which a
  /// scale too small for its reciprocal gives, lies above none.
  private func code(_ value: Float) -> Int {
    guard book.bits == 8 else {
      return zip(book.levels, book.levels.dropFirst()).prefix { value > Float($0 + $1) / 2 }.count
    }
    let nearest = value.rounded(.toNearestOrEven)
    return nearest > -128 ? Int(min(nearest, 127)) + 128 : 0
  }

  func codes(scale: Float, shift: Int) -> [Int] {
    let inverse = reciprocal(scale)
    return values.map { code($0 * inverse - Float(book.shifts[shift])) }
  }

  /// What codes stand for before they are multiplied.
  func levels(_ codes: [Int], shift: Int) -> [Float] { codes.map { Float(book.levels[$0] + book.shifts[shift]) } }

  private func weighted(_ x: Float, _ index: Int) -> Float { importance.map { x * $0[index] } ?? x }

  /// The least-squares scale for the codes that a scale gives, and what it is worth.
  func refitted(_ scale: Float, shift: Int) -> Choice {
    var (product, square): (Float, Float) = (0, 0)
    for (index, level) in levels(codes(scale: scale, shift: shift), shift: shift).enumerated() {
      product.addProduct(values[index], weighted(level, index))
      square.addProduct(level, weighted(level, index))
    }
    let best = product * reciprocal(square)
    return Choice(scale: best, shift: shift, worth: product * best)
  }

  /// The value of largest magnitude, the first of equals.
  var extreme: Float { values.reduce(0) { $1.magnitude > $0.magnitude ? $1 : $0 } }

  /// The best choice of each shift and end, where the scale can be any: all of them at 5 and 6 bits, else the best two.
  func freeChoices() -> [Choice] {
    let trials: [Float] =
      switch book.bits {
      case 8: [0.97]
      case 6: [0.60, 0.80]
      case 5: [0.62, 0.70, 0.78, 0.86, 0.94, 1.02]
      default: [0.80, 0.90, 1.00, 1.12]
      }
    var (all, kept) = ([Choice](), [Choice(), Choice()])
    for shift in book.shifts.indices {
      for end in [book.levels.first!, book.levels.last!] {
        var best = Choice(shift: shift)
        for trial in trials {
          let scale = extreme * (1 / ((Float(end) + Float(book.shifts[shift])) * trial))
          let found = refitted(scale, shift: shift)
          if found.worth > best.worth { best = found }
        }
        all.append(best)
        if best.worth > kept[0].worth {
          kept = [best, kept[0]]
        } else if best.worth > kept[1].worth {
          kept[1] = best
        }
      }
    }
    return book.bits == 5 || book.bits == 6 ? all : kept
  }

  /// The first choice of those that are worth most.
  static func best(of choices: [Choice]) -> Choice {
    choices.dropFirst().reduce(choices[0]) { $1.worth > $0.worth ? $1 : $0 }
  }

  /// Rounds values one after another, each with what those before it have passed on.
  /// - Returns: the codes, what each value lost, and the sum of the squares.
  func inOrder(
    _ passed: [[Float]], scale: Float, shift: Int
  ) -> (codes: [Int], lost: [Float], error: Float) {
    let (inverse, offset) = (reciprocal(scale), book.shifts[shift])
    var (rest, found, lost, sum) = (values, [Int](), [Float](), Float(0))
    for index in values.indices {
      found.append(code(rest[index] * inverse - Float(offset)))
      var difference = rest[index].addingProduct(-Float(book.levels[found[index]] + offset), scale)
      // What is infinite or no number stays where it is.
      if !(difference.magnitude <= 0x1p60) { difference = 0 }
      sum.addProduct(difference, weighted(difference, index))
      for later in index + 1..<max(index + 1, values.count) {
        rest[later].addProduct(-difference, passed[index][later])
      }
      lost.append(difference)
    }
    return (found, lost, sum)
  }

  func error(scale: Float, shift: Int) -> Float {
    if let passed { return inOrder(passed, scale: scale, shift: shift).error }
    var sum: Float = 0
    for (index, level) in levels(codes(scale: scale, shift: shift), shift: shift).enumerated() {
      let difference = values[index].addingProduct(-level, scale)
      sum.addProduct(difference, weighted(difference, index))
    }
    return sum
  }

  /// The byte of least error among those near the choices, with the scale that it stands for. A group of zeros has no
  /// multiple.
  func byte(near choices: [Choice], rowScale: Float) -> (byte: UInt8, scale: Float, shift: Int) {
    if Self.best(of: choices).worth == 0 || rowScale == 0 { return (0, 0, 0) }
    var best: (byte: UInt8, scale: Float, shift: Int) = (0, 0, 0)
    var least: Float?
    for choice in choices {
      let reach = [8: 8, 6: 5][book.bits] ?? 1
      for away in -reach...reach {
        let exact = choice.scale.magnitude * reciprocal(rowScale) + Float(away)
        let magnitude = Int(min(max(exact.rounded(.toNearestOrEven), 0), Float(book.largestMultiple)))
        let isNegative = choice.scale < 0
        let scale = Float(isNegative ? -magnitude : magnitude) * rowScale
        let found = error(scale: scale, shift: choice.shift)
        guard least == nil || found < least! else { continue }
        least = found
        let byte = magnitude + choice.shift * (book.largestMultiple + 1) + (isNegative ? 128 : 0)
        best = (UInt8(byte), scale, choice.shift)
      }
    }
    return best
  }
}

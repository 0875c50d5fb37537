/// A size in a family map: a sum of products of integers and symbols, such as `8*c` or `u2+u1`.
struct SizeExpression: Sendable, Equatable {
  enum Factor: Sendable, Equatable {
    case number(Int)
    case symbol(String)
  }

  let terms: [[Factor]]

  /// Fails for text that is not such a sum.
  init?(_ text: some StringProtocol) {
    var terms: [[Factor]] = []
    for term in text.split(separator: "+", omittingEmptySubsequences: false) {
      var factors: [Factor] = []
      for part in term.split(separator: "*", omittingEmptySubsequences: false) {
        let word = String(part.filter { $0 != " " })
        if let number = Int(word), number >= 0 {
          factors.append(.number(number))
        } else if let first = word.first, first.isLetter, word.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) {
          factors.append(.symbol(word))
        } else {
          return nil
        }
      }
      terms.append(factors)
    }
    self.terms = terms
  }

  /// The symbol and what it is multiplied by, where the expression is nothing but one symbol times numbers.
  var singleSymbol: (name: String, coefficient: Int)? {
    guard terms.count == 1 else { return nil }
    var found: String?
    var coefficient = 1
    for factor in terms[0] {
      switch factor {
      case .number(let number): coefficient *= number
      case .symbol(let name):
        guard found == nil else { return nil }
        found = name
      }
    }
    return found.map { ($0, coefficient) }
  }

  /// The value, or nil where a symbol has none or the value overflows.
  func value(_ symbol: (String) -> Int?) -> Int? {
    var sum = 0
    for factors in terms {
      var product = 1
      for factor in factors {
        let value: Int
        switch factor {
        case .number(let number): value = number
        case .symbol(let name):
          guard let known = symbol(name) else { return nil }
          value = known
        }
        let (next, overflow) = product.multipliedReportingOverflow(by: value)
        guard !overflow else { return nil }
        product = next
      }
      let (next, overflow) = sum.addingReportingOverflow(product)
      guard !overflow else { return nil }
      sum = next
    }
    return sum
  }
}

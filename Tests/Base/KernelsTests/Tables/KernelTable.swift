import CKernels
import Testing

/// One of this machine's tables of C functions, in ascending order; the first is plain C.
struct KernelTable: Sendable, CustomTestStringConvertible {
  let index: Int

  static let all = (0..<ck_table_count()).map { KernelTable(index: $0) }
  static let portable = KernelTable(index: 0)

  var functions: ck_table { ck_table_at(index)!.pointee }
  var name: String { String(cString: ck_table_at(index)!.pointee.name) }
  var testDescription: String { name }
}

/// Lengths on both sides of what vectors hold.
let oddCounts = Array(0...17) + [31, 32, 33, 63, 64, 65, 100, 127, 129, 257, 1000, 4095, 4096]

/// Whether values are the same bits. Any NaN equals any other: which operand's payload an instruction keeps is not ours to say.
func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }
}

/// Whether each value lies within its bound.
func within(_ found: [Float], _ expected: [Double], _ bound: (Double) -> Double) -> Bool {
  found.count == expected.count && zip(found, expected).allSatisfy { abs(Double($0) - $1) <= bound($1) }
}

func sameBits(_ a: ck_error_sums, _ b: ck_error_sums) -> Bool {
  [\ck_error_sums.source_square, \.coded_square, \.product, \.error_square, \.largest_error].allSatisfy {
    a[keyPath: $0].bitPattern == b[keyPath: $0].bitPattern
  }
}

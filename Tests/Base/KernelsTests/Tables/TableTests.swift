import CKernels
import Foundation
import Testing
import TestSupport

@Suite struct TableTests {
  @Test func levelsAscendFromPlainC() {
    let order = [
      "portable", "neon", "neon-dotprod", "neon-i8mm", "avx2", "avx-vnni", "avx512", "avx512-vnni", "avx512-bf16",
    ]
    let names = KernelTable.all.map(\.name)
    #expect(names == order.filter(names.contains))
    #expect(names.first == "portable")
    #expect(ck_table_at(names.count) == nil)
  }

  /// The last table is used, or the one that the environment names.
  @Test func theActiveTableIsTheBestOrTheOneAskedFor() throws {
    let wanted = ProcessInfo.processInfo.environment["BANTAM_ISA"]
    let expected = try #require(KernelTable.all.first { $0.name == wanted } ?? KernelTable.all.last)
    #expect(ck_active() == ck_table_at(expected.index))
  }

  /// A function without a twin is noticed here.
  @Test func everyFunctionHasATwin() throws {
    let definitions = Repository.root.appending(path: "Sources/Base/CKernels/include/functions.def")
    let text = try String(contentsOf: definitions.standardized, encoding: .utf8)
    let names = text.matches(of: /(?m)^CK_FUNCTION\(\s*\w+,\s*(\w+),/).map { String($0.1) }
    #expect(names.count == Set(names).count)
    #expect(Set(names) == Set(Twin.all.keys))
  }
}

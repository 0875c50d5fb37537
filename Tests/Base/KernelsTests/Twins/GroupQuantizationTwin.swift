import CKernels

extension Twin {
  /// Quantizes a stripe `[rows, columns]`, group after group, row after row.
  static func quantizeStripe(
    _ values: [Float], rows: Int, columns: Int, bits: Int, sums: ck_error_sums
  ) -> (codes: [UInt8], scales: [UInt16], sums: ck_error_sums) {
    let groups = (columns + 31) / 32
    var codes = [UInt8](repeating: 0, count: groups * 64 * bits)
    var scales = [UInt16](repeating: 0, count: groups * 16)
    var sums = sums
    for group in 0..<groups {
      for row in 0..<rows {
        let width = min(32, columns - group * 32)
        let first = row * columns + group * 32
        let search = GroupSearchTwin(values: GroupSearchTwin.tamed(Array(values[first..<first + width])), bits: bits)
        let scale = search.scale()
        scales[group * 16 + row] = narrowF16(scale)
        let found = search.values.map { search.code($0, scale: scale) }
        for (offset, code) in found.enumerated() {
          let place = codePlace(row: row, column: group * 32 + offset, bits: bits)
          codes[place.byte] |= UInt8(Int(code) + 1 << (bits - 1)) << UInt8(place.shift)
        }
        addErrors(search.values.map { Double($0) }, found.map { Double($0 * scale) }, to: &sums)
      }
    }
    return (codes, scales, sums)
  }

  /// The errors of one group of a row are summed first, then added.
  static func addErrors(_ values: [Double], _ decoded: [Double], to sums: inout ck_error_sums) {
    var group = ck_error_sums()
    for (exact, coded) in zip(values, decoded) {
      group.source_square += exact * exact
      group.coded_square += coded * coded
      group.product += exact * coded
      group.error_square.addProduct(exact - coded, exact - coded)
      group.largest_error = max(group.largest_error, Double(Float(abs(exact - coded))))
    }
    sums.source_square += group.source_square
    sums.coded_square += group.coded_square
    sums.product += group.product
    sums.error_square += group.error_square
    sums.largest_error = max(sums.largest_error, group.largest_error)
  }
}

import CKernels
import Testing

/// A product of quantized activations with weights of any kind.
struct ProductCase: CustomTestStringConvertible {
  var rows: Int
  var outputs: Int
  /// Groups of a run, and where runs begin from the row's first group.
  var groups: Int
  var runs = [0]
  /// Groups from row to row; rows may overlap, as the pixels that a kernel covers do.
  var stride: Int?

  var testDescription: String { "\(rows) rows, \(outputs) outputs, \(groups) groups, runs \(runs)" }

  /// Numbers of rows, tiles and groups on both sides of what a processor's block takes, and rows of several runs.
  static let all = [
    ProductCase(rows: 1, outputs: 1, groups: 1), ProductCase(rows: 1, outputs: 80, groups: 2),
    ProductCase(rows: 2, outputs: 16, groups: 3), ProductCase(rows: 3, outputs: 33, groups: 1),
    ProductCase(rows: 5, outputs: 47, groups: 2), ProductCase(rows: 13, outputs: 90, groups: 3),
    ProductCase(rows: 7, outputs: 40, groups: 2, runs: [0, 2, 4, 30, 32, 34], stride: 2),
    ProductCase(rows: 4, outputs: 9, groups: 1, runs: [3, 0, 11], stride: 2),
    ProductCase(rows: 8, outputs: 23, groups: 33),
    ProductCase(rows: 2, outputs: 34, groups: 7, runs: [9, 0, 16, 1, 30]),
  ]

  var tiles: Int { (outputs + 15) / 16 }
  /// Groups of a row of weights.
  var weightGroups: Int { groups * runs.count }
  var rowStride: Int { stride ?? weightGroups }
  /// Groups of activations that lie in memory.
  var heldGroups: Int { (rows - 1) * rowStride + (runs.max() ?? 0) + groups }
  /// One more than is written.
  var outputStride: Int { outputs + 1 }

  /// Where the groups of a row of the product lie.
  func places(ofRow row: Int) -> [Int] { runs.flatMap { run in (0..<groups).map { row * rowStride + run + $0 } } }

  /// What a function of the table writes, over sevens: `[rows, outputStride]`. Tiles are left to two calls.
  /// - Parameter weights: fills in what the weights need.
  func product(
    of activations: Twin.QuantizedActivations,
    by function: @convention(c) (UnsafePointer<ck_matmul>?, Int, Int) -> Void, weights: (inout ck_matmul) -> Void
  ) -> [Float] {
    var found = [Float](repeating: 7, count: rows * outputStride)
    activations.codes.withUnsafeBufferPointer { codes in
      activations.scales.withUnsafeBufferPointer { scales in
        activations.sums.withUnsafeBufferPointer { sums in
          activations.halfSums.withUnsafeBufferPointer { halfSums in
            runs.withUnsafeBufferPointer { runs in
              found.withUnsafeMutableBufferPointer { output in
                var job = ck_matmul()
                job.activations = codes.baseAddress
                job.activation_scales = scales.baseAddress
                job.activation_sums = sums.baseAddress
                job.activation_half_sums = halfSums.baseAddress
                job.output = output.baseAddress
                (job.row_count, job.row_stride) = (rows, rowStride)
                (job.run_count, job.run_groups, job.run_offsets) = (runs.count, groups, runs.baseAddress)
                (job.output_count, job.output_stride) = (outputs, outputStride)
                weights(&job)
                function(&job, 0, tiles / 2)
                function(&job, tiles / 2, tiles)
              }
            }
          }
        }
      }
    }
    return found
  }
}

import BantamArchive
import InputStatistics
import JSONText
import Kernels

/// What is known of a tensor that was encoded, beside its bytes.
struct SolvedRecord: Sendable, Equatable {
  let name: String
  let encoding: String
  /// SHA-256 of the source's bytes.
  let digest: Digest
  let depth: StatisticsFile.Depth
  /// See ``TensorOutcome/raisedDamping``.
  let raisedDamping: Double?
  /// Of the source's values.
  let values: ArchiveIndex.Statistics
  let errors: ErrorSums
  /// Nil where the inputs were never seen.
  let outputs: OutputMeter.Sums?
  /// CRC-32C of its file.
  var checksum: UInt32 = 0

  init(
    name: String, encoding: String, digest: Digest, depth: StatisticsFile.Depth, raisedDamping: Double?,
    values: ArchiveIndex.Statistics, errors: ErrorSums, outputs: OutputMeter.Sums?
  ) {
    self.name = name
    self.encoding = encoding
    self.digest = digest
    self.depth = depth
    self.raisedDamping = raisedDamping
    self.values = values
    self.errors = errors
    self.outputs = outputs
  }

  /// See ``TrialEncoding/relativeError``.
  var relativeError: Double {
    let (error, energy) = outputs.map { ($0.error, $0.energy) } ?? (errors.errorSquare, errors.sourceSquare)
    return energy > 0 ? max(0, error / energy) : 0
  }

  /// As a line of a journal. Numbers as their bits: they may be infinite.
  var json: JSONValue {
    .members([
      "name": .string(name), "encoding": .string(encoding), "digest": .string(digest.description),
      "depth": .string(depth.rawValue), "checksum": .int(Int(checksum)),
      "raised_damping": raisedDamping.map { .double($0) } ?? .null,
      "values": Self.bits([values.minimum, values.maximum, values.rms]),
      "zeros": .int(values.zeroCount), "nonfinite": .int(values.nonfiniteCount),
      "errors": Self.bits([
        errors.sourceSquare, errors.codedSquare, errors.product, errors.errorSquare, errors.largestError,
      ]),
      "outputs": outputs.map { Self.bits([$0.energy, $0.error]) } ?? .null,
    ])
  }

  init?(_ json: JSONValue) {
    guard let name = json["name"]?.string, let encoding = json["encoding"]?.string,
      let digest = json["digest"]?.string.flatMap(Digest.init(hexadecimal:)),
      let depth = json["depth"]?.string.flatMap(StatisticsFile.Depth.init),
      let checksum = json["checksum"]?.int.flatMap({ UInt32(exactly: $0) }),
      let errors = Self.numbers(json["errors"], count: 5), let values = Self.numbers(json["values"], count: 3),
      let zeroCount = json["zeros"]?.int, let nonfiniteCount = json["nonfinite"]?.int, zeroCount >= 0,
      nonfiniteCount >= 0
    else { return nil }
    self.name = name
    self.encoding = encoding
    self.digest = digest
    self.depth = depth
    raisedDamping = json["raised_damping"]?.double
    self.checksum = checksum
    self.values = ArchiveIndex.Statistics(
      minimum: values[0], maximum: values[1], rms: values[2], zeroCount: zeroCount, nonfiniteCount: nonfiniteCount)
    var sums = ErrorSums()
    (sums.sourceSquare, sums.codedSquare, sums.product) = (errors[0], errors[1], errors[2])
    (sums.errorSquare, sums.largestError) = (errors[3], errors[4])
    self.errors = sums
    outputs = Self.numbers(json["outputs"], count: 2).map { numbers in
      var sums = OutputMeter.Sums()
      (sums.energy, sums.error) = (numbers[0], numbers[1])
      return sums
    }
  }

  private static func bits(_ numbers: [Double]) -> JSONValue {
    .array(numbers.map { .string(String($0.bitPattern, radix: 16)) })
  }

  private static func numbers(_ json: JSONValue?, count: Int) -> [Double]? {
    let numbers = json?.array?.compactMap { $0.string.flatMap { UInt64($0, radix: 16) } }.map(Double.init(bitPattern:))
    return numbers?.count == count ? numbers : nil
  }
}

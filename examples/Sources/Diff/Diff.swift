// Compares the weights of two sources. Usage: example-diff REFERENCE OTHER
import Bantam

@main
enum Example {
  static func main() throws {
    let (a, b) = (CommandLine.arguments[1], CommandLine.arguments[2])
    let diff = try WeightDiff(ModelSource(path: a), ModelSource(path: b), resources: Resources())
    for row in diff.rows where row.status != .equal {
      print(row.name, row.status.rawValue, row.values.map { "\($0.sqnrDecibels) dB" } ?? "")
    }
  }
}

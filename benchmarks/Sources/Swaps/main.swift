// Whether a budget's choice is as good as what can be found by trying, all by real runs:
//   bantam-swaps swaps MODEL SUBJECTS TABLE STATISTICS BITS [COUNT]
//   bantam-swaps mixes MODEL SUBJECTS TABLE STATISTICS [BITS]
// swaps: from the planned mix on, tensors change places by the most promising exchanges; what measures better is kept, and
// what came of it is judged on the set 'judge'.
// mixes: all mixes of eight classes of tensors in three encodings into which no better one of a class would fit.
// SUBJECTS is a folder as tools/miniature/subjects.py writes it; the set 'plan' is run.
import Bantam
import Foundation

let words = CommandLine.arguments
guard words.count >= 6, ["swaps", "mixes"].contains(words[1]) else {
  FileHandle.standardError.write(Data("see the head of benchmarks/Sources/Swaps/main.swift\n".utf8))
  exit(64)
}
let statistics = try StatisticsFile(path: words[5])
let table = try SensitivityTable(json: Array(Data(contentsOf: URL(filePath: words[4]))), path: words[4])
let source = try ModelSource(path: words[2])
let inputs = try PlanInputs(source, ModelMap(source), components: nil, table: table, path: words[4])
if words[1] == "swaps" {
  let trials = try Trials(words[2], words[3], "plan", counts: (8, 16), statistics: statistics)
  let judging = try Trials(words[2], words[3], "judge", counts: (24, 32), statistics: statistics)
  try swaps(
    trials, judging: judging, inputs, bits: Double(words[6]) ?? 4.5, count: words.count > 7 ? Int(words[7]) ?? 200 : 200
  )
} else {
  let trials = try Trials(words[2], words[3], "plan", counts: (4, 6), statistics: statistics)
  try mixes(trials, inputs, bits: words.count > 6 ? Double(words[6]) ?? 4.5 : 4.5)
}

import BantamArchive
import Conversion
import ModelSources
import NetworkRuntime
import Quantization
import Reports
import Tensors

/// What only the command line can say of an error: the option or the command that helps.
enum Advice {
  /// The library's report, with advice behind its own hint.
  static func report(of error: any ReportingError) -> ErrorReport {
    var report = error.report
    if let advice = advice(on: error) { report.hint = [report.hint, advice].compactMap { $0 }.joined(separator: ". ") }
    return report
  }

  private static func advice(on error: any ReportingError) -> String? {
    switch error {
    case RecipeError.nothingMatches: "bantam inspect --all lists the names"
    case RecipeError.requantizes: "--allow-requantize does it all the same"
    case RecipeError.cannotMeet: "--keep PATTERN leaves them as they are"
    case FamilyError.unclaimed, FamilyError.notThisFamily, FamilyError.quantizedElsewhere:
      "--family generic asks for that"
    case ResourcesError.memoryTooSmall: "--memory takes a size such as 64M"
    case RuntimeError.weightMissing: "bantam inspect --tree lists what the file holds"
    case RuntimeError.nonFinite: "bantam verify and bantam inspect --health look for it"
    case ArchiveError.chunkDamaged: "bantam verify lists all damage"
    case ReportError.recordsNoQuality: "bantam diff compares any two sources"
    default: nil
    }
  }
}

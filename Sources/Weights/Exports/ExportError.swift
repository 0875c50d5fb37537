import GGUF
import Tensors

/// Why a source cannot be written in a format.
public enum ExportError: ReportingError, Equatable {
  case nothingToExport(path: String)
  /// The format holds models of some families, of which the source is none.
  case familyNotHeld(path: String, format: String, family: String, held: [String])
  /// The format holds one component, which the source lacks or which was not asked for.
  case componentNotHeld(path: String, format: String, component: String, found: [String])
  case noName(path: String, format: String, tensor: TensorName)
  case nameTwice(path: String, tensor: TensorName)
  case fileTwice(path: String, file: String)
  /// A tensor of a type that the format has no place for.
  case notReal(path: String, format: String, tensor: TensorName, dtype: String)
  case cannotCast(path: String, tensor: TensorName, dtype: String)
  /// A file beside the weights that the format's facts come from.
  case companionMissing(path: String, file: String)
  case config(path: String, file: String, key: String, rule: String)
  case vocabulary(path: String, rule: String)
  case gguf(path: String, GGUFError)

  public var report: ErrorReport {
    func bad(_ path: String, _ problem: String, expected: String? = nil, found: String? = nil, hint: String? = nil)
      -> ErrorReport
    { ErrorReport(.badData, at: path, problem, expected: expected, found: found, hint: hint) }
    switch self {
    case .nothingToExport(let path): return bad(path, "holds no tensor to export")
    case .familyNotHeld(let path, let format, let family, let held):
      return bad(
        path, "is of a family that is not written as \(format)", expected: held.joined(separator: " or "),
        found: family, hint: "The format safetensors takes every family")
    case .componentNotHeld(let path, let format, let component, let found):
      return bad(
        path, "\(format) holds the component '\(component)' and nothing else", expected: component,
        found: found.joined(separator: ", "), hint: "The format safetensors takes every component"
      )
    case .noName(let path, let format, let tensor):
      return bad(path, "tensor '\(tensor)' has no name in \(format)", hint: "The format safetensors takes every tensor")
    case .nameTwice(let path, let tensor): return bad(path, "two tensors would be named '\(tensor)'")
    case .fileTwice(let path, let file): return bad(path, "two files would be named '\(file)'")
    case .notReal(let path, let format, let tensor, let dtype):
      return bad(path, "tensor '\(tensor)' has no place in \(format)", expected: "real numbers", found: dtype)
    case .cannotCast(let path, let tensor, let dtype):
      return bad(path, "'\(tensor)' has a shape that \(dtype) cannot hold")
    case .companionMissing(let path, let file):
      return bad(
        path, "has no \(file), which the output needs",
        hint: "Export from the release's folder, or from a native file that was made of it")
    case .config(let path, let file, let key, let rule):
      return bad(path, (key.isEmpty ? "" : "key '\(key)' of ") + "\(file) \(rule)")
    case .vocabulary(let path, let rule): return bad(path, "its tokenizer cannot be written: \(rule)")
    case .gguf(let path, let error): return error.report(at: path)
    }
  }
}

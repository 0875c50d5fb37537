import Tensors

/// What can go wrong with a picture file.
public enum PictureError: ReportingError, Equatable {
  case encoding(reason: String)
  case file(FileError)
  case unknownKind(path: String, looksLike: String)
  case malformed(path: String, kind: String, reason: String)
  case tooLarge(path: String, width: Int, height: Int)
  case empty(path: String)
  case tooNarrow(path: String, width: Int, height: Int)

  public var report: ErrorReport {
    switch self {
    case .encoding(let reason): ErrorReport(.defect, at: "PNG", "cannot be made: \(reason)")
    case .file(let error): error.report
    case .unknownKind(let path, let looksLike):
      ErrorReport(
        .badData, at: path, "is no picture that can be read", expected: "PNG, JPEG or WebP",
        found: looksLike)
    case .malformed(let path, let kind, let reason):
      ErrorReport(.badData, at: path, "is a damaged \(kind) file: \(reason)")
    case .tooLarge(let path, let width, let height):
      ErrorReport(
        .badData, at: path, "has too many pixels", expected: "at most \(Picture.pixelLimit)",
        found: "\(width) x \(height)", hint: "Make it smaller")
    case .empty(let path): ErrorReport(.badData, at: path, "has no pixels")
    case .tooNarrow(let path, let width, let height):
      ErrorReport(
        .badData, at: path, "is too long for its width", expected: "sides of at most 200 to 1",
        found: "\(width) x \(height)")
    }
  }
}

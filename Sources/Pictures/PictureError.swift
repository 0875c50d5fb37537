import Tensors

/// What can go wrong with a picture file.
public enum PictureError: ReportingError, Equatable {
  case encoding(reason: String)

  public var report: ErrorReport {
    switch self {
    case .encoding(let reason): ErrorReport(.defect, at: "PNG", "cannot be made: \(reason)")
    }
  }
}

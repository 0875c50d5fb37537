import Pictures
import Tensors

/// What can go wrong where pictures are compared or put together.
public enum PictureComparisonError: ReportingError, Equatable {
  /// Sides in pixels.
  case unequalSizes(width: Int, height: Int, otherWidth: Int, otherHeight: Int)
  case noPixels
  /// Labels that do not fit the columns or rows.
  case labelCount(of: String, expected: Int, found: Int)
  case noPictures
  case gridTooLarge(width: Int, height: Int)

  public var report: ErrorReport {
    switch self {
    case .unequalSizes(let width, let height, let otherWidth, let otherHeight):
      ErrorReport(
        .badData, at: "", "only pictures of one size can be compared", expected: "\(width) x \(height)",
        found: "\(otherWidth) x \(otherHeight)", hint: "Crop or resize one of them")
    case .noPixels: ErrorReport(.badData, at: "", "pictures without pixels cannot be compared")
    case .labelCount(let what, let expected, let found):
      ErrorReport(
        .usage, at: "", "there must be a label for each of the \(what)", expected: "\(expected)", found: "\(found)")
    case .noPictures: ErrorReport(.usage, at: "", "a grid needs a picture, and a column to put it in")
    case .gridTooLarge(let width, let height):
      ErrorReport(
        .badData, at: "", "the grid would have too many pixels",
        expected: "sides of at most \(Picture.sideLimit), and at most \(Picture.pixelLimit) pixels",
        found: "\(width) x \(height)", hint: "Take fewer or smaller pictures")
    }
  }

  /// - Throws: where two pictures cannot be compared pixel by pixel.
  static func check(_ reference: Picture, _ other: Picture) throws(PictureComparisonError) {
    guard reference.width == other.width, reference.height == other.height else {
      throw .unequalSizes(
        width: reference.width, height: reference.height, otherWidth: other.width, otherHeight: other.height)
    }
    guard !reference.pixels.isEmpty else { throw .noPixels }
  }
}

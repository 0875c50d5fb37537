/// Makes reports of what is wrong with one file, for errors that break one rule each.
public struct BadData {
  /// What to do about a file that ends too early.
  public static let cut = "The file looks cut: fetch it again"
  /// What to do about a file that has other bytes than it should.
  public static let damaged = "The file looks damaged: fetch it again"

  private let place: String

  /// - Parameter path: the file as the user named it.
  public init(at path: String) { place = path }

  public func callAsFunction(
    _ problem: String, _ expected: String? = nil, _ found: String? = nil, _ hint: String? = nil
  ) -> ErrorReport {
    ErrorReport(.badData, at: place, problem, expected: expected, found: found, hint: hint)
  }
}

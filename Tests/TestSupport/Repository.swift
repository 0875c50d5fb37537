import Foundation

/// Where things lie in the sources, for tests that read what belongs to another target.
public enum Repository {
  public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  public static func path(_ path: String) -> String { root.appending(path: path).path }

  /// Files of other programs' layouts, and what their own readers read from them.
  public static let checkpoints = path("Tests/Formats/CheckpointsTests/Fixtures")
}

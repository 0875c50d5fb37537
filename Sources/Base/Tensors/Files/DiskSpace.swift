import Glibc

/// Room on the disks.
public enum DiskSpace {
  /// Bytes that a user without privileges may still write below a folder; nil where the system does not say.
  public static func free(in folder: String) -> Int? {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return nil }
    let (bytes, overflow) = Int(status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
    return overflow ? .max : bytes
  }

  /// - Throws: ``FileError/noRoom(path:needed:free:)``.
  public static func require(_ byteCount: Int, in folder: String, for path: String) throws(FileError) {
    if let free = free(in: folder), free < byteCount { throw .noRoom(path: path, needed: byteCount, free: free) }
  }
}

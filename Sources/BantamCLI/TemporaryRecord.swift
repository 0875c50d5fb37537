import Glibc
import Tensors

/// Where the reference's record goes: to a file that is kept, or one that is removed at the end.
struct TemporaryRecord {
  let path: String
  private let isKept: Bool

  init(keptAt path: String?) {
    isKept = path != nil
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
    self.path = path ?? Folder.join(folder, "bantam-reference.\(getpid()).safetensors")
  }

  func remove() { if !isKept { unlink(path) } }
}

import Checkpoints
import FuzzSupport
import Tensors

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    guard let index = try? ShardIndex(bytes, path: "index.json") else { return }
    for file in index.files { precondition(Folder.isPlainPath(file.utf8), "a name leads outside") }
  }
}

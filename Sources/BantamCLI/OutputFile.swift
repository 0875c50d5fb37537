import ArgumentParser
import Tensors

/// What a command writes: checked before any work, once its inputs are open.
enum OutputFile {
  /// The forms that commands write, by the ending of the file's name.
  enum Form: String {
    case bantam, safetensors, png, json
  }

  /// Endings that promise another form: a file of such a name would deceive its reader.
  private static let others: Set<String> = [
    "bantam", "safetensors", "gguf", "ggml", "bin", "pt", "pth", "ckpt", "npz", "npy", "onnx", "h5", "zst", "gz", "zip",
    "png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "svg", "pdf", "json", "txt", "csv", "md",
  ]

  /// - Parameter other: another output of the same command.
  /// - Throws: a usage error where the name promises another form than is written; ``FileError`` where no file can be made there,
  ///   or one that is read would be replaced.
  static func check(_ path: String, form: Form, besides other: String? = nil) throws {
    try check(path, ending: form.rawValue, besides: other)
  }

  static func check(_ path: String, ending wanted: String, besides other: String? = nil) throws {
    try AtomicOutputFile.check(path: path, besides: other)
    let ending = Folder.ending(of: path).lowercased()
    guard ending == wanted || !others.contains(ending) else {
      throw ValidationError(
        "'\(path)' promises another format than is written here: name it *.\(wanted)")
    }
  }
}

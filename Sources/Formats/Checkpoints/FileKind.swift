import Tensors

/// What a file looks like from its first bytes.
public enum FileKind: Sendable, Equatable {
  case safetensors
  case bantam
  case gguf
  case zip
  case pickle
  case json
  case html
  case lfsPointer
  case hdf5
  case npy
  case zstd
  case gzip
  case tar
  case xz
  case sevenZip
  case onnx
  case tflite
  case executable
  case picture
  case ggml
  case empty
  case zeros
  case text
  case unknown

  /// - Parameters:
  ///   - head: the first bytes, at least 16 where the file has them.
  ///   - byteCount: size of the file.
  public init(head: [UInt8], byteCount: Int) {
    func starts(_ text: String) -> Bool { head.starts(with: Array(text.utf8)) }
    let visible = head.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    if byteCount == 0 {
      self = .empty
    } else if head.starts(with: [0x89, 0x42, 0x54, 0x4D, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .bantam
    } else if head.count >= 9, head[8] == UInt8(ascii: "{"), head[6] == 0, head[7] == 0 {
      self = .safetensors  // first: its length may look like anything
    } else if starts("GGUF") {
      self = .gguf
    } else if starts("PK\u{3}\u{4}") {
      self = .zip
    } else if starts("version https://git-lfs") {
      self = .lfsPointer
    } else if head.starts(with: [0x89, 0x48, 0x44, 0x46]) {
      self = .hdf5
    } else if head.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]) {
      self = .npy
    } else if head.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
      || (head.dropFirst().starts(with: [0x2A, 0x4D, 0x18]) && head[0] & 0xF0 == 0x50)
    {
      self = .zstd  // also with a frame to be skipped in front
    } else if head.starts(with: [0x1F, 0x8B]) {
      self = .gzip
    } else if head.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]) {
      self = .xz
    } else if head.starts(with: [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]) {
      self = .sevenZip
    } else if head.starts(with: [0x7F, 0x45, 0x4C, 0x46]) || starts("MZ") {
      self = .executable
    } else if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) || head.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .picture
    } else if starts("lmgg") || starts("fmgg") || starts("tjgg") {
      self = .ggml
    } else if head.dropFirst(4).starts(with: Array("TFL3".utf8)) {
      self = .tflite
    } else if head.dropFirst(257).starts(with: Array("ustar".utf8)) {
      self = .tar
    } else if head.starts(with: [0x08]), head.count > 2, head[2] == 0x12, byteCount > 1000 {
      self = .onnx
    } else if head.count > 2, head[0] == 0x80, (2...5).contains(head[1]) {
      self = .pickle
    } else if visible.first == UInt8(ascii: "<") {
      self = .html
    } else if visible.first == UInt8(ascii: "{") || visible.first == UInt8(ascii: "[") {
      self = .json
    } else if head.allSatisfy({ $0 == 0 }) {
      self = .zeros
    } else if head.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || [9, 10, 13].contains($0) }) {
      self = .text
    } else {
      self = .unknown
    }
  }

  /// The kind of an open file.
  public init(of file: ReadableFile) throws(FileError) {
    self.init(head: try file.bytes(at: 0, count: min(512, file.byteCount)), byteCount: file.byteCount)
  }

  /// Whether a file that calls itself safetensors may be one with a damaged header.
  var mayBeDamagedSafetensors: Bool { [.unknown, .text, .pickle, .onnx].contains(self) }

  /// In words, with what to do about it.
  public var words: (looksLike: String, hint: String?) {
    switch self {
    case .safetensors: ("a safetensors file", nil)
    case .bantam: ("a .bantam file", nil)
    case .gguf: ("a GGUF file", nil)
    case .zip: ("a zip archive", nil)
    case .pickle: ("a Python pickle", nil)
    case .zstd: ("a zstd file", nil)
    case .gzip: ("a gzip file", "Unpack it first: gunzip")
    case .tar: ("a tar archive", "Unpack it first: tar -xf")
    case .xz: ("an xz file", "Unpack it first: unxz")
    case .sevenZip: ("a 7z archive", "Unpack it first: 7z x")
    case .onnx: ("an ONNX model", "Fetch the model's safetensors instead")
    case .tflite: ("a TensorFlow Lite model", "Fetch the model's safetensors instead")
    case .executable: ("a program", nil)
    case .picture: ("a picture", nil)
    case .ggml: ("a GGML file from before GGUF", "Fetch the model as GGUF or safetensors")
    case .json: ("JSON text", nil)
    case .html: ("a web page or XML", "The download went wrong: fetch the file itself")
    case .lfsPointer: ("a Git LFS pointer", "Run git lfs pull")
    case .hdf5: ("an HDF5 file", nil)
    case .npy: ("a NumPy array", nil)
    case .empty: ("an empty file", "The download looks unfinished: fetch it again")
    case .zeros: ("zero bytes only", "The download looks damaged: fetch it again")
    case .text: ("plain text", nil)
    case .unknown: ("unknown bytes", nil)
    }
  }
}

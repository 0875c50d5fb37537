import Tensors

/// Writes a safetensors file whose tensors come one by one, before their number is known.
///
/// The header's place is kept free and filled at the end, padded with spaces as the format allows.
public final class SafetensorsStream {
  private let output: AtomicOutputFile
  private let headerByteCount: Int
  private var infos: [TensorInfo] = []
  private var end: Int

  /// - Parameter headerByteCount: room for the header; a name takes about 100 bytes of it.
  public init(path: String, headerByteCount: Int) throws(FileError) {
    output = try AtomicOutputFile(path: path)
    self.headerByteCount = (headerByteCount + 63) / 64 * 64
    end = self.headerByteCount
  }

  public var tensorCount: Int { infos.count }

  public func append(_ info: TensorInfo, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
    precondition(bytes.count == info.byteCount)
    try output.write(bytes, at: end)
    infos.append(info)
    end += bytes.count
  }

  /// Writes the header and gives the file its name.
  /// - Throws: ``SafetensorsStreamError/headerTooSmall(path:)`` where there were more tensors than room for their names.
  public func finish() throws {
    let layout = SafetensorsLayout(infos, headerByteCount: headerByteCount)
    guard layout.header.count == headerByteCount else { throw SafetensorsStreamError.headerTooSmall(path: output.path) }
    try output.write(layout.header, at: 0)
    try output.commit(byteCount: end)
  }
}

/// What can keep a stream of tensors from becoming a file.
public enum SafetensorsStreamError: ReportingError, Equatable {
  /// More tensors than the header has room for.
  case headerTooSmall(path: String)

  public var report: ErrorReport {
    switch self {
    case .headerTooSmall(let path):
      ErrorReport(
        .badData, at: path, "there are more tensors than the file's header has room for", hint: "Ask for fewer")
    }
  }
}

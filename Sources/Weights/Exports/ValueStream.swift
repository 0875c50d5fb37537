import ModelSources
import Tensors

/// Writes a tensor's plain values, cast where the source has another type.
struct ValueStream {
  let source: ModelSource
  let number: Int
  let dtype: DType

  func write(
    to output: AtomicOutputFile, at offset: Int, _ buffers: StreamBuffers, _ resources: Resources
  ) throws {
    let sourceType = source.tensors[number].info.dtype
    var offset = offset
    try source.stream(number, through: buffers.source, cancellation: resources.cancellation) { bytes in
      let stored = buffers.cast(bytes, from: sourceType, to: dtype)
      try output.write(stored, at: offset)
      offset += stored.count
      resources.progress(bytes.count)
    }
  }
}

import ModelSources
import Kernels
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
      var stored = bytes
      if sourceType != dtype {
        let count = bytes.count * 8 / sourceType.bitWidth
        ElementCast.cast(
          count: count, from: bytes.baseAddress!, sourceType, to: buffers.target.bytes.baseAddress!, dtype,
          scratch: buffers.scratch.bytes.baseAddress!.assumingMemoryBound(to: Float.self))
        stored = UnsafeRawBufferPointer(rebasing: buffers.target.bytes[..<(count * dtype.bitWidth / 8)])
      }
      try output.write(stored, at: offset)
      offset += stored.count
      resources.progress(bytes.count)
    }
  }
}

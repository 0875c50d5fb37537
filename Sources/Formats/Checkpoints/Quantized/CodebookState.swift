import JSONText
import Tensors

/// What bitsandbytes keeps of a 4-bit tensor beside its numbers: JSON in a tensor of bytes.
struct CodebookState {
  let shape: [Int]
  let blockSize: Int
  let dtype: DType
  let nested: (blockSize: Int, offset: Float)?

  init(_ plane: Plane, name: TensorName) throws(QuantizedError) {
    func bad(_ rule: String) -> QuantizedError { .badState(part: name, rule: rule) }
    guard plane.dtype == .u8, plane.elementCount <= 1 << 16,
      let bytes = try? plane.bytes(at: 0, count: plane.elementCount), let state = try? ConfigJSON.parse(bytes)
    else { throw bad("is not JSON") }
    let sizes = (state["shape"]?.array ?? []).compactMap(\.int)
    guard !sizes.isEmpty, sizes.count == state["shape"]?.array?.count, sizes.count <= Limits.rank,
      sizes.allSatisfy({ $0 >= 0 }), TensorInfo(name: name, dtype: .f64, shape: sizes) != nil
    else { throw bad("has no 'shape' of sizes") }
    guard let block = state["blocksize"]?.int, (1...1 << 20).contains(block) else { throw bad("has no 'blocksize'") }
    let dtypes: [String: DType] = ["float32": .f32, "float16": .f16, "bfloat16": .bf16]
    guard let dtype = state["dtype"]?.string.flatMap({ dtypes[$0] }) else { throw bad("has no 'dtype' that is known") }
    shape = sizes
    blockSize = block
    self.dtype = dtype
    if let outer = state["nested_blocksize"]?.int {
      guard (1...1 << 20).contains(outer), let offset = state["nested_offset"]?.double else {
        throw bad("has no nested state that is whole")
      }
      nested = (outer, Float(offset))
    } else {
      nested = nil
    }
  }
}

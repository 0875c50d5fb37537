import CJSONC
import Tensors

/// Config files: read by json-c, after the strict scanner has refused what json-c would silently change.
///
/// json-c keeps the last of two equal keys, cuts keys at NUL and saturates large integers; the scanner knows no tree.
public enum ConfigJSON {
  /// Parses a text of at most ``Limits/configByteCount`` bytes. `NaN` and `Infinity`, as Python writes them, become numbers that are
  /// not finite.
  /// - Throws: ``JSONError``.
  public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    guard bytes.count <= Limits.configByteCount else { throw .tooLarge(byteCount: bytes.count) }
    var scanner = try JSONScanner(bytes)
    try scanner.skipValue(forConfig: true, takesNaN: true)
    try scanner.finish()
    guard let tokener = json_tokener_new_ex(Int32(Limits.jsonDepth + 1)) else {
      throw .unexpected(offset: 0, expected: "memory for the JSON parser")
    }
    defer { json_tokener_free(tokener) }
    // A lone number is complete for json-c only when something follows it.
    let root = (bytes + [0x0A]).withUnsafeBytes { buffer in
      json_tokener_parse_ex(tokener, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count))
    }
    guard json_tokener_get_error(tokener) == json_tokener_success else {
      throw .unexpected(offset: Int(json_tokener_get_parse_end(tokener)), expected: "a JSON value")
    }
    defer { json_object_put(root) }
    return value(of: root)
  }

  // The depth is bounded by the scanner.
  private static func value(of object: OpaquePointer?) -> JSONValue {
    switch json_object_get_type(object) {
    case json_type_boolean: return .bool(json_object_get_boolean(object) != 0)
    case json_type_int: return .int(Int(json_object_get_int64(object)))
    case json_type_double: return .double(json_object_get_double(object))
    case json_type_string:
      let length = Int(json_object_get_string_len(object))
      let base = UnsafeRawPointer(json_object_get_string(object))
      return .string(String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self))
    case json_type_array:
      return .array((0..<json_object_array_length(object)).map { value(of: json_object_array_get_idx(object, $0)) })
    case json_type_object:
      var members: [JSONValue.Member] = []
      var iterator = json_object_iter_begin(object)
      var end = json_object_iter_end(object)
      while json_object_iter_equal(&iterator, &end) == 0 {
        let key = String(cString: json_object_iter_peek_name(&iterator))
        members.append(.init(key, value(of: json_object_iter_peek_value(&iterator))))
        json_object_iter_next(&iterator)
      }
      return .object(members)
    default: return .null
    }
  }
}

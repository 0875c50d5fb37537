import CSPNG
import Glibc

extension Picture {
  /// Decodes a PNG file of any colour type and depth to 8-bit RGB; of 16 bits the upper 8 are kept.
  static func png(_ bytes: [UInt8], path: String) throws(PictureError) -> Picture {
    guard let context = spng_ctx_new(0) else { throw .malformed(path: path, kind: "PNG", reason: "no memory") }
    defer { spng_ctx_free(context) }
    func check(_ code: Int32) throws(PictureError) {
      if code != 0 { throw .malformed(path: path, kind: "PNG", reason: String(cString: spng_strerror(code))) }
    }
    try check(spng_set_chunk_limits(context, 1 << 24, 1 << 26))
    try check(spng_set_png_buffer(context, bytes, bytes.count))
    var header = spng_ihdr()
    try check(spng_get_ihdr(context, &header))
    try Self.check(width: Int(header.width), height: Int(header.height), path: path)
    var pixels = [UInt8](repeating: 0, count: Int(header.width) * Int(header.height) * 3)
    try check(spng_decode_image(context, &pixels, pixels.count, Int32(SPNG_FMT_RGB8.rawValue), 0))
    var orientation = 1
    var exif = spng_exif()
    if spng_get_exif(context, &exif) == 0, let data = exif.data {
      orientation = Exif.orientation([UInt8](UnsafeRawBufferPointer(start: data, count: exif.length))[...])
    }
    return Picture(width: Int(header.width), height: Int(header.height), pixels: pixels).turned(orientation)
  }

  /// The picture as a PNG file.
  /// - Parameter notes: keyword (1 to 79 Latin letters) and text (UTF-8), as iTXt chunks.
  /// - Throws: ``PictureError/encoding(reason:)``.
  public func png(notes: KeyValuePairs<String, String> = [:]) throws(PictureError) -> [UInt8] {
    guard let context = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)) else {
      throw .encoding(reason: "no memory")
    }
    defer { spng_ctx_free(context) }
    func check(_ code: Int32) throws(PictureError) {
      if code != 0 { throw .encoding(reason: String(cString: spng_strerror(code))) }
    }
    try check(spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1))
    var header = spng_ihdr()
    header.width = UInt32(width)
    header.height = UInt32(height)
    header.bit_depth = 8
    header.color_type = UInt8(SPNG_COLOR_TYPE_TRUECOLOR.rawValue)
    try check(spng_set_ihdr(context, &header))
    var texts = notes.map { note in
      var text = spng_text()
      withUnsafeMutableBytes(of: &text.keyword) { $0.copyBytes(from: note.key.utf8.prefix(79)) }
      text.type = Int32(SPNG_ITXT.rawValue)
      text.text = strdup(note.value)
      text.length = note.value.utf8.count
      text.language_tag = strdup("")
      text.translated_keyword = strdup("")
      return text
    }
    defer {
      for text in texts {
        free(text.text)
        free(text.language_tag)
        free(text.translated_keyword)
      }
    }
    if !texts.isEmpty { try check(spng_set_text(context, &texts, UInt32(texts.count))) }
    try check(
      spng_encode_image(
        context, pixels, pixels.count, Int32(SPNG_FMT_PNG.rawValue), Int32(SPNG_ENCODE_FINALIZE.rawValue)))
    var length = 0
    var code: Int32 = 0
    guard let bytes = spng_get_png_buffer(context, &length, &code) else {
      throw .encoding(reason: String(cString: spng_strerror(code)))
    }
    defer { free(bytes) }
    return [UInt8](UnsafeRawBufferPointer(start: bytes, count: length))
  }
}

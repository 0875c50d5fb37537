import CSPNG
import Glibc

extension Picture {
  /// Decodes a PNG file of any colour type and depth to 8-bit RGB; of 16 bits the upper 8 are kept.
  static func png(_ bytes: [UInt8], path: String) throws(PictureError) -> Read {
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
    let picture = Picture(width: Int(header.width), height: Int(header.height), pixels: pixels)
    return Read(
      picture: picture.turned(orientation(context)), note: isAnimation(bytes) ? animationNote(path) : nil)
  }

  /// What eXIf, or the texts that other programs keep it in, say.
  private static func orientation(_ context: OpaquePointer) -> Int {
    var block: [UInt8]?
    var packet: [UInt8]?
    var exif = spng_exif()
    if spng_get_exif(context, &exif) == 0, let data = exif.data {
      block = [UInt8](UnsafeRawBufferPointer(start: data, count: exif.length))
    }
    var count: UInt32 = 0
    if spng_get_text(context, nil, &count) == 0, count > 0, count <= 4096 {
      var texts = [spng_text](repeating: spng_text(), count: Int(count))
      if spng_get_text(context, &texts, &count) == 0 {
        for text in texts.prefix(Int(count)) {
          let keyword = withUnsafeBytes(of: text.keyword) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
          guard let start = text.text else { continue }
          let bytes = [UInt8](UnsafeRawBufferPointer(start: start, count: text.length))
          switch keyword {
          case "XML:com.adobe.xmp" where packet == nil: packet = bytes
          case "Raw profile type exif" where block == nil: block = profile(bytes)
          default: break
          }
        }
      }
    }
    return Orientation.of(exif: block, xmp: packet)
  }

  /// A profile as ImageMagick writes it: a name, a length, and hexadecimal digits, each on lines of their own.
  private static func profile(_ text: [UInt8]) -> [UInt8] {
    let digits = text.split(separator: 0x0A, omittingEmptySubsequences: false).dropFirst(3).joined()
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      guard let value = Character(UnicodeScalar(digit)).hexDigitValue.map(UInt8.init) else { continue }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return bytes
  }

  /// Whether an acTL chunk stands before the pixels. Source: PNG, third edition, section 11.3.6.
  private static func isAnimation(_ bytes: [UInt8]) -> Bool {
    var position = 8
    while position + 8 <= bytes.count {
      let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
      let name = bytes[position + 4..<position + 8]
      if name.elementsEqual("acTL".utf8) { return true }
      if name.elementsEqual("IDAT".utf8) { return false }
      position += 12 + length
    }
    return false
  }

  /// The picture as a PNG file.
  /// - Parameter notes: keyword (1 to 79 Latin letters) and text (UTF-8), as iTXt chunks. Empty texts are left out. A picture is never
  ///   lost for its notes: where they cannot be written, it is written without.
  /// - Throws: ``PictureError/encoding(reason:)``.
  public func png(notes: KeyValuePairs<String, String> = [:]) throws(PictureError) -> [UInt8] {
    // PNG keeps no NUL in a text.
    let notes = notes.map { (key: $0.key, value: $0.value.filter { $0 != "\0" }) }.filter { !$0.value.isEmpty }
    do { return try encoded(notes) } catch {
      guard !notes.isEmpty else { throw error }
      return try encoded([])
    }
  }

  private func encoded(_ notes: [(key: String, value: String)]) throws(PictureError) -> [UInt8] {
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

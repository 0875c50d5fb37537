import Encodings
import Kernels
import Tensors

/// Names and strides of the index's sections. Format: formats/bantam.md, sections 4 and 5.
enum Section: String, CaseIterable {
  case text = "TEXT"
  case dimensions = "DIMS"
  case components = "COMP"
  case encodings = "ENCO"
  case layouts = "LAYT"
  case files = "FILE"
  case tensors = "TENS"
  case planes = "PLNE"
  case sums = "SUMS"
  case blobs = "BLOB"

  var stride: Int {
    switch self {
    case .text: 1
    case .sums: 4
    case .dimensions: 8
    case .encodings, .files: 16
    case .components, .layouts: 32
    case .planes: 48
    case .blobs: 64
    case .tensors: 256
    }
  }

  /// Place in the order of the file.
  var place: Int {
    switch self {
    case .text: 0
    case .dimensions: 1
    case .components: 2
    case .encodings: 3
    case .layouts: 4
    case .files: 5
    case .tensors: 6
    case .planes: 7
    case .sums: 8
    case .blobs: 9
    }
  }

  /// In words, for messages.
  var title: String {
    switch self {
    case .text: "text table"
    case .dimensions: "dimension table"
    case .components: "component table"
    case .encodings: "encoding table"
    case .layouts: "layout table"
    case .files: "source file table"
    case .tensors: "tensor table"
    case .planes: "plane table"
    case .sums: "checksum table"
    case .blobs: "carried file table"
    }
  }

  static let headerByteCount = 16
  static let entryByteCount = 40
}

extension ArchiveIndex {
  /// The index as it stands in the file. Its size depends on names and counts only, not on digests, sums or offsets.
  func encoded() -> [UInt8] {
    var encoder = IndexEncoder()
    encoder.encode(self)
    return encoder.assembled()
  }
}

private struct IndexEncoder {
  private var sections: [Section: LittleEndianWriter] = [:]
  private var counts: [Section: Int] = [:]
  private var textOffsets: [[UInt8]: Int] = [:]

  /// Adds a record, padded to the section's stride.
  private mutating func record(_ section: Section, _ body: (inout LittleEndianWriter) -> Void) {
    var record = LittleEndianWriter()
    body(&record)
    record.pad(to: section.stride)
    sections[section, default: LittleEndianWriter()].put(bytes: record.bytes)
    counts[section, default: 0] += 1
  }

  /// Offset and length of a text in the pool; equal texts are stored once.
  private mutating func text(_ utf8: [UInt8]) -> (UInt32, UInt32) {
    if let offset = textOffsets[utf8] { return (UInt32(offset), UInt32(utf8.count)) }
    let offset = counts[.text, default: 0]
    textOffsets[utf8] = offset
    sections[.text, default: LittleEndianWriter()].put(bytes: utf8)
    counts[.text] = offset + utf8.count
    return (UInt32(offset), UInt32(utf8.count))
  }

  private mutating func text(_ string: String) -> (UInt32, UInt32) { text(Array(string.utf8)) }

  private mutating func sums(_ values: [UInt32]) -> (UInt32, UInt32) {
    let first = counts[.sums, default: 0]
    for value in values { record(.sums) { $0.put(value) } }
    return (UInt32(first), UInt32(values.count))
  }

  mutating func encode(_ index: ArchiveIndex) {
    for component in index.components {
      let name = text(component.name)
      record(.components) {
        $0.put(name)
        $0.put(UInt32(component.tensorRange.lowerBound))
        $0.put(UInt32(component.tensorRange.count))
        $0.put(UInt64(component.arenaOffset))
        $0.put(UInt64(component.arenaByteCount))
      }
    }
    for encoding in index.encodings {
      let (name, parameters) = (text(encoding.name), text(encoding.parameters))
      record(.encodings) {
        $0.put(name)
        $0.put(parameters)
      }
    }
    for layout in index.layouts { record(.layouts) { Self.put(layout, to: &$0) } }
    for file in index.sourceFiles {
      let path = text(file.path)
      record(.files) {
        $0.put(path)
        $0.put(UInt64(file.byteCount))
      }
    }
    for tensor in index.tensors { encode(tensor) }
    for blob in index.blobs {
      let (name, sums) = (text(blob.name), sums(blob.sums))
      record(.blobs) {
        $0.put(name)
        $0.put(UInt64(blob.offset))
        $0.put(UInt64(blob.byteCount))
        $0.put(sums)
        $0.put(bytes: blob.digest.bytes)
      }
    }
  }

  private static func put(_ layout: PlaneLayout, to out: inout LittleEndianWriter) {
    switch layout {
    case .rowMajor: out.put(UInt16(0))
    case .unknown(let kind): out.put(UInt16(kind))
    case .tiled(let tile):
      out.put(UInt16(tile.isSliced ? 3 : tile.isSegmented ? 2 : 1))
      for value in [
        tile.elementBits, tile.tileRows, tile.tileColumns, tile.turnColumns, tile.tileScaleByteCount,
        Int(tile.nibbleOrder.rawValue),
      ] {
        out.put(UInt16(value))
      }
      guard tile.isSegmented else { return }
      out.put(UInt16(tile.columnOrder.rawValue))
      out.put(UInt32(tile.segmentColumns))
    }
  }

  private mutating func encode(_ tensor: ArchiveIndex.Tensor) {
    let firstDimension = counts[.dimensions, default: 0]
    for size in tensor.info.shape { record(.dimensions) { $0.put(UInt64(size)) } }
    let firstPlane = counts[.planes, default: 0]
    for plane in tensor.planes {
      let sums = sums(plane.sums)
      record(.planes) {
        $0.put(UInt16(plane.kind?.rawValue ?? 0))
        $0.put(UInt16(0))
        $0.put(UInt32(plane.layout))
        $0.put(UInt64(plane.offset))
        $0.put(UInt64(plane.byteCount))
        $0.put(sums)
      }
    }
    let (name, role) = (text(tensor.info.name.utf8), text(tensor.role))
    let sourceName = tensor.source.map { text($0.name.utf8) } ?? (0, 0)
    let method = tensor.quality.map { text($0.method) } ?? (0, 0)
    let flags: UInt32 = (tensor.statistics == nil ? 0 : 1) | (tensor.quality == nil ? 0 : 2)
    record(.tensors) {
      $0.put(name)
      $0.put(role)
      $0.put(UInt32(tensor.component))
      $0.put(tensor.info.dtype.code)
      $0.put(UInt16(tensor.info.shape.count))
      $0.put(UInt32(firstDimension))
      $0.put(UInt32(tensor.encoding))
      $0.put(UInt32(firstPlane))
      $0.put(UInt32(tensor.planes.count))
      $0.put(UInt32(tensor.aliasOf.map { $0 + 1 } ?? 0))
      $0.put(flags)
      $0.put(UInt32(tensor.source.map { $0.file + 1 } ?? 0))
      $0.put(tensor.source?.dtype.code ?? 0)
      $0.put(UInt16(0))
      $0.put(sourceName)
      $0.put(UInt64(tensor.source?.offset ?? 0))
      $0.put(UInt64(tensor.source?.byteCount ?? 0))
      $0.put(bytes: tensor.source?.digest.bytes ?? [UInt8](repeating: 0, count: 32))
      $0.put(tensor.statistics?.minimum ?? 0)
      $0.put(tensor.statistics?.maximum ?? 0)
      $0.put(tensor.statistics?.rms ?? 0)
      $0.put(UInt64(tensor.statistics?.zeroCount ?? 0))
      $0.put(UInt64(tensor.statistics?.nonfiniteCount ?? 0))
      $0.put(method)
      $0.put(tensor.quality?.sqnrDecibels ?? 0)
      $0.put(tensor.quality?.maximumAbsoluteError ?? 0)
      $0.put(tensor.quality?.cosine ?? 0)
    }
  }

  func assembled() -> [UInt8] {
    var out = LittleEndianWriter()
    out.put(bytes: Array("BTMINDEX".utf8))
    out.put(UInt32(Section.allCases.count))
    out.put(UInt32(Section.entryByteCount))
    var offset = Section.headerByteCount + Section.allCases.count * Section.entryByteCount
    for section in Section.allCases {
      let bytes = sections[section]?.bytes ?? []
      offset = roundUp(offset, to: 8)
      out.put(bytes: Array(section.rawValue.utf8))
      out.put(UInt32(1))
      out.put(UInt64(offset))
      out.put(UInt64(counts[section] ?? 0))
      out.put(UInt32(section.stride))
      out.put(CRC32C.of(bytes))
      out.put(UInt64(0))
      offset += bytes.count
    }
    for section in Section.allCases {
      out.align(8)
      out.put(bytes: sections[section]?.bytes ?? [])
    }
    return out.bytes
  }
}

extension LittleEndianWriter {
  fileprivate mutating func put(_ pair: (UInt32, UInt32)) {
    put(pair.0)
    put(pair.1)
  }
}

import Encodings
import Kernels
import Tensors

extension ArchiveIndex {
  /// Reads an index, every reference checked. Ranges of planes are checked by ``checkRanges(path:payloadEnd:geometry:)``.
  /// - Throws: ``ArchiveError``.
  /// - Parameter minor: minor version of the file; in later ones reserved bytes may have a meaning.
  init(_ bytes: [UInt8], minor: Int = Superblock.currentMinor, path: String) throws(ArchiveError) {
    let result: Result<ArchiveIndex, ArchiveError> = bytes.withUnsafeBytes { buffer in
      do throws(ArchiveError) {
        var decoder = try IndexDecoder(buffer, minor: minor, path: path)
        return .success(try decoder.decode())
      } catch { return .failure(error) }
    }
    self = try result.get()
  }
}

private struct IndexDecoder {
  let bytes: UnsafeRawBufferPointer
  let path: String
  /// By the section's place in `Section.allCases`: records are looked up often.
  private let entries: [SectionTable.Entry]
  private let checksReserved: Bool
  /// Where a text stands in the text table.
  private struct TextPlace: Hashable {
    let offset: Int
    let byteCount: Int
  }
  /// Texts that many records share, each read once.
  private var texts: [TextPlace: String] = [:]
  // What records may name together: no plane and no sum twice, and texts of a sensible length in all.
  private var planeBudget: Int
  private var sumBudget: Int
  private var textBudget: Int
  private var claimedBudget = Limits.claimedByteCount

  init(_ bytes: UnsafeRawBufferPointer, minor: Int, path: String) throws(ArchiveError) {
    checksReserved = minor <= Superblock.currentMinor
    self.bytes = bytes
    self.path = path
    let table = try SectionTable(bytes, path: path)
    var entries: [SectionTable.Entry] = []
    for section in Section.allCases { entries.append(try table.entry(section, path: path)) }
    self.entries = entries
    planeBudget = entries[Section.planes.place].count
    sumBudget = entries[Section.sums.place].count
    textBudget = Limits.archiveTextByteCount(table: entries[Section.text.place].count)
  }

  /// Takes from a budget; fails where a file asks for more than its tables can honestly mean.
  private static func spend(_ amount: Int, from budget: inout Int) -> Bool {
    guard amount <= budget else { return false }
    budget -= amount
    return true
  }

  private func count(_ section: Section) -> Int { entries[section.place].count }

  private func record(_ section: Section, _ number: Int) -> LittleEndianRecord {
    let entry = entries[section.place]
    return LittleEndianRecord(table: bytes, start: entry.offset + number * entry.stride)
  }

  /// Where a text stands, known to lie in the table.
  private func place(
    _ record: LittleEndianRecord, _ field: Int, _ owner: @autoclosure () -> String, _ name: String
  ) throws(ArchiveError) -> TextPlace {
    let place = TextPlace(offset: record.u32(field), byteCount: record.u32(field + 4))
    guard place.offset + place.byteCount <= count(.text) else {
      throw .badReference(path: path, record: owner(), field: name)
    }
    return place
  }

  /// The bytes of a text, taken from the budget: overlapping texts may claim much from little.
  private mutating func utf8(
    _ place: TextPlace, _ owner: @autoclosure () -> String, _ name: String
  ) throws(ArchiveError) -> [UInt8] {
    guard place.byteCount <= Limits.nameByteCount else { throw .textTooLong(path: path, record: owner(), field: name) }
    guard Self.spend(place.byteCount, from: &textBudget) else { throw .textsTooLong(path: path) }
    let start = entries[Section.text.place].offset + place.offset
    return Array(bytes[start..<start + place.byteCount])
  }

  private mutating func name(
    _ record: LittleEndianRecord, _ field: Int, _ owner: @autoclosure () -> String, _ name: String
  ) throws(ArchiveError) -> TensorName {
    TensorName(utf8: try utf8(place(record, field, owner(), name), owner(), name))
  }

  private mutating func text(
    _ record: LittleEndianRecord, _ field: Int, _ owner: @autoclosure () -> String, _ name: String
  ) throws(ArchiveError) -> String {
    let place = try place(record, field, owner(), name)
    if let known = texts[place] { return known }
    guard let text = String(validating: try utf8(place, owner(), name), as: UTF8.self) else {
      throw .badText(path: path, record: owner())
    }
    texts[place] = text
    return text
  }

  private func range(
    _ record: LittleEndianRecord, _ field: Int, in section: Section, _ owner: @autoclosure () -> String, _ name: String
  ) throws(ArchiveError) -> Range<Int> {
    let (first, length) = (record.u32(field), record.u32(field + 4))
    guard first + length <= count(section) else { throw .badReference(path: path, record: owner(), field: name) }
    return first..<first + length
  }

  private func size(
    _ record: LittleEndianRecord, _ field: Int, _ owner: @autoclosure () -> String, _ name: String
  ) throws(ArchiveError) -> Int {
    guard let value = record.size(field) else { throw .badReference(path: path, record: owner(), field: name) }
    return value
  }

  private mutating func sums(_ range: Range<Int>, _ owner: @autoclosure () -> String) throws(ArchiveError) -> [UInt32] {
    guard Self.spend(range.count, from: &sumBudget) else {
      throw .badReference(path: path, record: owner(), field: "checksums")
    }
    return range.map { record(.sums, $0).get(0, as: UInt32.self) }
  }

  mutating func decode() throws(ArchiveError) -> ArchiveIndex {
    guard count(.tensors) <= Limits.tensorCount else {
      throw .badSectionTable(path: path, rule: "more than \(Limits.tensorCount) tensors")
    }
    var index = ArchiveIndex()
    for number in 0..<count(.encodings) {
      let record = record(.encodings, number)
      index.encodings.append(
        ArchiveIndex.Encoding(
          name: try text(record, 0, "encoding \(number)", "name"),
          parameters: try text(record, 8, "encoding \(number)", "parameters")))
    }
    for number in 0..<count(.layouts) { index.layouts.append(try layout(number)) }
    for number in 0..<count(.files) {
      let record = record(.files, number)
      index.sourceFiles.append(
        ArchiveIndex.SourceFile(
          path: try text(record, 0, "source file \(number)", "path"),
          byteCount: try size(record, 8, "source file \(number)", "size")))
    }
    try decodeComponents(into: &index)
    var names: Set<TensorName> = []
    index.tensors.reserveCapacity(count(.tensors))
    for number in 0..<count(.tensors) {
      let tensor = try tensor(number, layoutCount: index.layouts.count)
      guard names.insert(tensor.info.name).inserted else { throw .nameTwice(path: path, name: tensor.info.name) }
      guard index.components[tensor.component].tensorRange.contains(number) else {
        throw .badReference(path: path, record: "tensor '\(tensor.info.name)'", field: "component")
      }
      index.tensors.append(tensor)
    }
    try checkAliases(index)
    try decodeBlobs(into: &index)
    return index
  }

  private func layout(_ number: Int) throws(ArchiveError) -> PlaneLayout {
    let record = record(.layouts, number)
    func isZero(from offset: Int) -> Bool { record.bytes(offset, 32 - offset).allSatisfy { $0 == 0 } }
    switch record.u16(0) {
    case 0:
      guard !checksReserved || isZero(from: 2) else { throw .reservedNotZero(path: path, part: "layout table") }
      return .rowMajor
    case let kind where kind <= 3:
      // Kind 2 is kind 1 with an order and segments of the columns, kind 3 is for slices, with or without them; what one kind can
      // say is not said in another way.
      guard !checksReserved || isZero(from: kind == 1 ? 14 : 20) else {
        throw .reservedNotZero(path: path, part: "layout table")
      }
      guard let nibbles = UInt8(exactly: record.u16(12)).flatMap(TileLayout.NibbleOrder.init(rawValue:)),
        let order = UInt8(exactly: kind == 1 ? 0 : record.u16(14)).flatMap(TileLayout.ColumnOrder.init(rawValue:)),
        let tile = TileLayout(
          elementBits: record.u16(2), tileRows: record.u16(4), tileColumns: record.u16(6),
          turnColumns: record.u16(8), nibbleOrder: nibbles, tileScaleByteCount: record.u16(10), columnOrder: order,
          segmentColumns: kind == 1 ? 0 : record.u32(16)),
        tile.isSliced == (kind == 3), kind == 3 || tile.isSegmented == (kind == 2)
      else { throw .badLayout(path: path, index: number) }
      return .tiled(tile)
    default: return .unknown(kind: record.u16(0))
    }
  }

  private mutating func decodeComponents(into index: inout ArchiveIndex) throws(ArchiveError) {
    var next = 0
    var names: Set<[UInt8]> = []
    for number in 0..<count(.components) {
      let record = record(.components, number)
      let name = try text(record, 0, "component \(number)", "name")
      guard !name.isEmpty else { throw .emptyName(path: path, record: "component \(number)") }
      let tensors = try range(record, 8, in: .tensors, "component '\(name)'", "tensors")
      guard tensors.lowerBound == next else { throw .componentsNotInOrder(path: path, component: name) }
      guard names.insert(Array(name.utf8)).inserted else {
        throw .nameTwice(path: path, name: TensorName(name))
      }
      next = tensors.upperBound
      index.components.append(
        ArchiveIndex.Component(
          name: name, tensorRange: tensors, arenaOffset: try size(record, 16, "component '\(name)'", "arena"),
          arenaByteCount: try size(record, 24, "component '\(name)'", "arena size")))
    }
    guard next == count(.tensors) else { throw .componentsNotInOrder(path: path, component: "(end)") }
  }

  private mutating func tensor(_ number: Int, layoutCount: Int) throws(ArchiveError) -> ArchiveIndex.Tensor {
    let record = record(.tensors, number)
    let name = try name(record, 0, "tensor \(number)", "name")
    let owner = { "tensor '\(name)'" }
    guard !name.utf8.isEmpty else { throw .emptyName(path: path, record: "tensor \(number)") }
    guard String(validating: name.utf8, as: UTF8.self) != nil else {
      throw .badText(path: path, record: "tensor \(number)")
    }
    guard let dtype = DType(code: record.get(20)) else {
      throw .unknownDType(path: path, tensor: name, code: record.u16(20))
    }
    let rank = record.u16(22)
    guard rank <= Limits.rank else { throw .rankTooLarge(path: path, tensor: name, rank: rank) }
    let firstDimension = record.u32(24)
    guard firstDimension + rank <= count(.dimensions) else {
      throw .badReference(path: path, record: owner(), field: "shape")
    }
    var shape: [Int] = []
    for dimension in firstDimension..<firstDimension + rank {
      shape.append(try size(self.record(.dimensions, dimension), 0, owner(), "shape"))
    }
    guard let info = TensorInfo(name: name, dtype: dtype, shape: shape),
      Self.spend(max(info.byteCount, info.elementCount), from: &claimedBudget)
    else { throw .sizeOverflow(path: path, tensor: name) }
    guard record.u32(16) < count(.components) else {
      throw .badReference(path: path, record: owner(), field: "component")
    }
    guard record.u32(28) < count(.encodings) else {
      throw .badReference(path: path, record: owner(), field: "encoding")
    }
    guard !checksReserved || record.isZero(184, 72) && record.u16(54) == 0 && record.u32(44) <= 3 else {
      throw .reservedNotZero(path: path, part: "tensor table")
    }
    var planes: [ArchiveIndex.Plane] = []
    let planeRange = try range(record, 32, in: .planes, owner(), "planes")
    guard Self.spend(planeRange.count, from: &planeBudget) else {
      throw .badReference(path: path, record: owner(), field: "planes")
    }
    for plane in planeRange {
      planes.append(try self.plane(plane, owner: owner, layoutCount: layoutCount))
    }
    return ArchiveIndex.Tensor(
      info: info, role: try text(record, 8, owner(), "role"), component: record.u32(16), encoding: record.u32(28),
      planes: planes, aliasOf: record.u32(40) == 0 ? nil : record.u32(40) - 1,
      source: try source(record, name), statistics: try statistics(record, owner),
      quality: try quality(record, owner))
  }

  private mutating func plane(
    _ number: Int, owner: () -> String, layoutCount: Int
  ) throws(ArchiveError) -> ArchiveIndex.Plane {
    let record = record(.planes, number)
    guard record.u32(4) < layoutCount else { throw .badReference(path: path, record: owner(), field: "layout") }
    guard !checksReserved || record.u16(2) == 0 && record.isZero(32, 16) else {
      throw .reservedNotZero(path: path, part: "plane table")
    }
    return ArchiveIndex.Plane(
      kind: PlaneKind(rawValue: record.u16(0)), layout: record.u32(4),
      offset: try size(record, 8, owner(), "plane offset"),
      byteCount: try size(record, 16, owner(), "plane size"),
      sums: try sums(range(record, 24, in: .sums, owner(), "checksums"), owner()))
  }

  private mutating func source(
    _ record: LittleEndianRecord, _ tensor: TensorName
  ) throws(ArchiveError) -> ArchiveIndex.Source? {
    guard record.u32(48) > 0 else { return nil }
    let owner = { "tensor '\(tensor)'" }
    guard record.u32(48) <= count(.files) else { throw .badReference(path: path, record: owner(), field: "source") }
    guard let dtype = DType(code: record.get(52)) else {
      throw .unknownDType(path: path, tensor: tensor, code: record.u16(52))
    }
    let (offset, byteCount) = (
      try size(record, 64, owner(), "source offset"), try size(record, 72, owner(), "source size")
    )
    guard !offset.addingReportingOverflow(byteCount).overflow, Self.spend(byteCount, from: &claimedBudget) else {
      throw .badSourceRange(path: path, tensor: tensor)
    }
    let name = try name(record, 56, owner(), "source name")
    return ArchiveIndex.Source(
      file: record.u32(48) - 1, name: name, dtype: dtype,
      offset: offset, byteCount: byteCount, digest: Digest(record.bytes(80, 32)))
  }

  private func statistics(
    _ record: LittleEndianRecord, _ owner: () -> String
  ) throws(ArchiveError) -> ArchiveIndex.Statistics? {
    guard record.u32(44) & 1 == 1 else { return nil }
    return ArchiveIndex.Statistics(
      minimum: record.double(112), maximum: record.double(120), rms: record.double(128),
      zeroCount: try size(record, 136, owner(), "zeros"), nonfiniteCount: try size(record, 144, owner(), "non-finite"))
  }

  private mutating func quality(
    _ record: LittleEndianRecord, _ owner: () -> String
  ) throws(ArchiveError) -> ArchiveIndex.Quality? {
    guard record.u32(44) & 2 == 2 else { return nil }
    return ArchiveIndex.Quality(
      method: try text(record, 152, owner(), "method"), sqnrDecibels: record.double(160),
      maximumAbsoluteError: record.double(168), cosine: record.double(176))
  }

  private func checkAliases(_ index: ArchiveIndex) throws(ArchiveError) {
    for (number, tensor) in index.tensors.enumerated() {
      guard let owner = tensor.aliasOf else { continue }
      func bad(_ rule: String) -> ArchiveError { .badAlias(path: path, tensor: tensor.info.name, rule: rule) }
      guard index.tensors.indices.contains(owner), owner != number else { throw bad("names no other tensor") }
      let target = index.tensors[owner]
      guard target.aliasOf == nil else { throw bad("names another alias") }
      guard tensor.planes.isEmpty else { throw bad("has planes of its own") }
      guard target.info.dtype == tensor.info.dtype, target.info.shape == tensor.info.shape,
        target.encoding == tensor.encoding
      else { throw bad("differs from '\(target.info.name)' in dtype, shape or encoding") }
    }
  }

  private mutating func decodeBlobs(into index: inout ArchiveIndex) throws(ArchiveError) {
    var names: Set<[UInt8]> = []
    for number in 0..<count(.blobs) {
      let record = record(.blobs, number)
      let name = try text(record, 0, "carried file \(number)", "name")
      guard Folder.isPlainPath(name.utf8) else { throw .badBlobName(path: path, name: name) }
      guard names.insert(Array(name.utf8)).inserted else { throw .nameTwice(path: path, name: TensorName(name)) }
      index.blobs.append(
        ArchiveIndex.Blob(
          name: name, offset: try size(record, 8, "file '\(name)'", "offset"),
          byteCount: try size(record, 16, "file '\(name)'", "size"),
          sums: try sums(range(record, 24, in: .sums, "file '\(name)'", "checksums"), "file '\(name)'"),
          digest: Digest(record.bytes(32, 32))))
    }
  }
}

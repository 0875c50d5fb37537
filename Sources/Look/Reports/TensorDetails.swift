import BantamArchive
import Documents
import Encodings
import JSONText
import Kernels
import ModelSources
import Tensors

/// Everything about one tensor: shape, storage, provenance, statistics, first values.
public struct TensorDetails: Sendable {
  public let name: TensorName
  /// A member of `tensors` in the document of ``TensorReport``.
  public private(set) var json: JSONValue = .object([])
  /// For people.
  private var facts: [(title: String, cell: Cell)] = []

  /// - Parameter resources: its cancellation and progress count for statistics that are not recorded.
  public init(_ inspection: Inspection, _ tensor: Inspection.Tensor, resources: Resources = .init()) throws {
    try self.init(inspection, tensor, storages: SharedStorages(inspection.source), resources)
  }

  init(
    _ inspection: Inspection, _ tensor: Inspection.Tensor, storages: SharedStorages, _ resources: Resources
  ) throws {
    name = tensor.name
    let source = inspection.source
    let stored = StoredDescription(source, tensor.number, storages)
    let recorded = source.archive?.index.tensors[tensor.number]
    var members: [JSONValue.Member] = []
    func add(_ key: String, _ title: String, _ cell: Cell) {
      members.append(.init(key, cell.json))
      facts.append((title, cell))
    }
    func add(_ key: String, _ title: String, _ value: JSONValue, _ sentences: [String]) {
      members.append(.init(key, value))
      for (number, sentence) in sentences.enumerated() { facts.append((number == 0 ? title : "", .text(sentence))) }
    }
    add("name", "name", .name(tensor.name.text))
    add("component", "component", .text(tensor.component))
    add("role", "role", .text(tensor.role))
    add("dtype", "dtype", .text(tensor.info.dtype.name))
    add("stored_dtype", "stored as", .text(stored.dtype))
    add("source_dtype", "source dtype", stored.sourceDType.map { .text($0) } ?? .absent)
    add("shape", "shape", .shape(tensor.info.shape))
    add("elements", "elements", .count(tensor.info.elementCount))
    add("encoding", "encoding", .text(tensor.encoding))
    add("bytes", "bytes", .count(tensor.storedByteCount))
    add("source_name", "source name", .name((recorded?.source?.name ?? source.tensors[tensor.number].sourceName).text))
    add("stored", "lies in", stored.runs.map { .array($0) } ?? .null, stored.sentences)
    let planes = source.archive.map { archive in
      archive.owner(of: tensor.number).planes.map { Self.describe($0, archive.index.layouts[$0.layout]) }
    }
    add("planes", "planes", planes.map { .array($0.map(\.json)) } ?? .null, (planes ?? []).map(\.sentence))
    let book = try source.archive?.encoded(tensor.number).flatMap { try BookDescription($0) }
    add("book", "book", book?.json ?? .null, book?.sentences ?? [])
    let provenance = source.archive.flatMap { Self.provenance($0, tensor.number) }
    add("provenance", "made from", provenance?.json ?? .null, provenance.map { [$0.sentence] } ?? [])
    let statistics =
      try source.archive == nil ? Self.measured(source, tensor, resources) : recorded?.statistics
    add("statistics", "statistics", statistics.map(Self.json) ?? .null, statistics.map { [Self.sentence($0)] } ?? [])
    let quality = recorded?.quality
    add("quality", "quality", quality.map(Self.json) ?? .null, quality.map { [Self.sentence($0)] } ?? [])
    let first = try Self.firstValues(source, tensor)
    add("first_values", "first values", first.map { .array($0) } ?? .null, Self.sentences(first ?? []))
    json = .object(members)
  }

  func add(to document: inout Document) {
    for fact in facts { document.fact(nil, fact.title, fact.cell) }
  }

  private typealias Described = (json: JSONValue, sentence: String)

  private static func describe(_ plane: ArchiveIndex.Plane, _ layout: PlaneLayout) -> Described {
    let kind = plane.kind.map { "\($0)" } ?? "unknown"
    let words = LayoutMap.describe(layout)
    let range = plane.offset..<plane.offset + plane.byteCount
    let json: JSONValue = .members([
      "kind": .string(kind), "layout": .string(words), "begin": .int(range.lowerBound), "end": .int(range.upperBound),
      "checksums": .int(plane.sums.count),
    ])
    return (json, "\(kind) at bytes \(Cell.range(range).text): \(words)")
  }

  private static func provenance(_ archive: Archive, _ number: Int) -> Described? {
    guard let source = archive.index.tensors[number].source else { return nil }
    let file = archive.index.sourceFiles[source.file].path
    let range = source.offset..<source.offset + source.byteCount
    let json: JSONValue = .members([
      "file": .string(file), "name": .string(source.name.text), "dtype": .string(source.dtype.name),
      "begin": .int(range.lowerBound), "end": .int(range.upperBound), "sha256": .string(source.digest.description),
    ])
    return (json, "\(source.dtype.name) at bytes \(Cell.range(range).text) of \(file), SHA-256 \(source.digest)")
  }

  private static func json(_ statistics: ArchiveIndex.Statistics) -> JSONValue {
    .members([
      "min": .number(statistics.minimum), "max": .number(statistics.maximum), "rms": .number(statistics.rms),
      "zeros": .int(statistics.zeroCount), "nonfinite": .int(statistics.nonfiniteCount),
    ])
  }

  private static func sentence(_ statistics: ArchiveIndex.Statistics) -> String {
    "\(Float(statistics.minimum)) to \(Float(statistics.maximum)), rms \(Float(statistics.rms)), "
      + "\(statistics.zeroCount) zeros, \(statistics.nonfiniteCount) not finite"
  }

  private static func json(_ quality: ArchiveIndex.Quality) -> JSONValue {
    .members([
      "method": .string(quality.method), "sqnr_db": .number(quality.sqnrDecibels),
      "max_abs": .number(quality.maximumAbsoluteError), "cosine": .number(quality.cosine),
    ])
  }

  private static func sentence(_ quality: ArchiveIndex.Quality) -> String {
    "\(Quantity.decibels(quality.sqnrDecibels)), largest error \(Quantity.scientific(quality.maximumAbsoluteError)), "
      + "1 - cosine \(Quantity.scientific(1 - quality.cosine)), by \(quality.method)"
  }

  /// As few digits as tell single floats apart.
  private static func sentences(_ values: [JSONValue]) -> [String] {
    let texts = values.map { value in
      if case .double(let number) = value { "\(Float(number))" } else { value.string ?? value.text() }
    }
    return texts.isEmpty ? [] : [texts.joined(separator: ", ")]
  }

  private static func measured(
    _ source: ModelSource, _ tensor: Inspection.Tensor, _ resources: Resources
  ) throws -> ArchiveIndex.Statistics? {
    guard ValueStatistics.isSupported(tensor.info.dtype), source.isReadable(tensor.number) else { return nil }
    var statistics = ValueStatistics()
    let buffer = try AlignedBuffer(byteCount: Resources.streamByteCount)
    try source.stream(tensor.number, through: buffer, cancellation: resources.cancellation) {
      statistics.add($0, dtype: tensor.info.dtype)
      resources.progress($0.count)
    }
    return .init(statistics)
  }

  /// Up to eight values from the start; nil where they cannot be decoded.
  private static func firstValues(_ source: ModelSource, _ tensor: Inspection.Tensor) throws -> [JSONValue]? {
    let count = min(8, tensor.info.elementCount)
    let width = tensor.info.dtype.bitWidth
    guard count > 0, width >= 8 else { return [] }
    guard source.isReadable(tensor.number) else { return nil }
    let buffer = try AlignedBuffer(byteCount: count * width / 8)
    do { try source.read(tensor.number, at: 0, into: buffer.bytes) } catch ArchiveError.unknownEncoding {
      return nil
    } catch ArchiveError.unknownLayout {
      return nil
    }
    return (0..<count).map { value(UnsafeRawBufferPointer(buffer.bytes), $0, tensor.info.dtype) }
  }

  private static func value(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ dtype: DType) -> JSONValue {
    func load<Value: BitwiseCopyable>(_: Value.Type) -> Value {
      bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Value>.size, as: Value.self)
    }
    switch dtype {
    case .f32: return .number(Double(load(Float.self)))
    case .f64: return .number(load(Double.self))
    case .bf16: return .number(Double(Float(bitPattern: UInt32(load(UInt16.self)) << 16)))
    case .f16:
      var bits = load(UInt16.self)
      var value: Float = 0
      ElementCast.widen(count: 1, from: &bits, .f16, to: &value)
      return .number(Double(value))
    case .i8: return .int(Int(load(Int8.self)))
    case .u8, .bool: return .int(Int(load(UInt8.self)))
    case .i16: return .int(Int(load(Int16.self)))
    case .u16: return .int(Int(load(UInt16.self)))
    case .i32: return .int(Int(load(Int32.self)))
    case .u32: return .int(Int(load(UInt32.self)))
    case .i64: return .int(Int(load(Int64.self)))
    // Types without arithmetic here are shown as their bits.
    default:
      let width = dtype.bitWidth / 8
      let digits = (0..<width).reversed().map { byte -> String in
        let text = String(bytes[index * width + byte], radix: 16)
        return text.count == 1 ? "0" + text : text
      }
      return .string("0x" + digits.joined())
    }
  }
}

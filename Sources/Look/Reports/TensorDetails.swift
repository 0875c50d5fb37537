import BantamArchive
import JSONText
import Kernels
import ModelSources
import Tensors

/// Everything about one tensor: shape, storage, provenance, statistics, first values.
public struct TensorDetails: Presentation {
  private let tensor: Inspection.Tensor
  private let fields: [(key: String, value: JSONValue)]

  /// - Parameter resources: its cancellation and progress count for statistics that are not recorded.
  public init(_ inspection: Inspection, _ tensor: Inspection.Tensor, resources: Resources = .init()) throws {
    try self.init(inspection, tensor, storages: SharedStorages(inspection.source), resources)
  }

  init(
    _ inspection: Inspection, _ tensor: Inspection.Tensor, storages: SharedStorages, _ resources: Resources
  ) throws {
    self.tensor = tensor
    let source = inspection.source
    let stored = StoredDescription(source, tensor.number, storages)
    var fields: [(key: String, value: JSONValue)] = [
      ("name", .string(tensor.name.text)), ("component", .string(tensor.component)), ("role", .string(tensor.role)),
      ("dtype", .string(tensor.info.dtype.name)), ("stored_dtype", .string(stored.dtype)),
      ("source_dtype", stored.sourceDType.map { .string($0) } ?? .null),
      ("shape", .array(tensor.info.shape.map { .int($0) })),
      ("elements", .int(tensor.info.elementCount)), ("encoding", .string(tensor.encoding)),
      ("bytes", .int(tensor.storedByteCount)),
    ]
    if let archive = source.archive {
      fields += Self.archiveFields(archive, tensor.number)
    } else {
      fields.append(("source_name", .string(source.tensors[tensor.number].sourceName.text)))
      fields.append(("stored", .array(stored.runs)))
      fields.append(("statistics", try Self.measured(source, tensor, resources)))
    }
    fields.append(("first_values", try Self.firstValues(source, tensor)))
    self.fields = fields
  }

  private static func archiveFields(_ archive: Archive, _ number: Int) -> [(key: String, value: JSONValue)] {
    let tensor = archive.index.tensors[number]
    var fields: [(key: String, value: JSONValue)] = []
    let planes = archive.owner(of: number).planes.map { plane -> JSONValue in
      .members([
        "kind": .string(plane.kind.map { "\($0)" } ?? "unknown"),
        "layout": .string(LayoutMap.describe(archive.index.layouts[plane.layout])), "begin": .int(plane.offset),
        "end": .int(plane.offset + plane.byteCount), "checksums": .int(plane.sums.count),
      ])
    }
    fields.append(("planes", .array(planes)))
    if let source = tensor.source {
      fields.append(
        (
          "provenance",
          .members([
            "file": .string(archive.index.sourceFiles[source.file].path), "name": .string(source.name.text),
            "dtype": .string(source.dtype.name), "begin": .int(source.offset),
            "end": .int(source.offset + source.byteCount), "sha256": .string(source.digest.description),
          ])
        ))
    }
    if let statistics = tensor.statistics { fields.append(("statistics", json(statistics))) }
    if let quality = tensor.quality {
      fields.append(
        (
          "quality",
          .members([
            "method": .string(quality.method), "sqnr_db": .double(quality.sqnrDecibels),
            "max_abs": .double(quality.maximumAbsoluteError), "cosine": .double(quality.cosine),
          ])
        ))
    }
    return fields
  }

  private static func json(_ statistics: ArchiveIndex.Statistics) -> JSONValue {
    .members([
      "min": .double(statistics.minimum), "max": .double(statistics.maximum), "rms": .double(statistics.rms),
      "zeros": .int(statistics.zeroCount), "nonfinite": .int(statistics.nonfiniteCount),
    ])
  }

  private static func measured(
    _ source: ModelSource, _ tensor: Inspection.Tensor, _ resources: Resources
  ) throws -> JSONValue {
    guard ValueStatistics.isSupported(tensor.info.dtype), source.isReadable(tensor.number) else { return .null }
    var statistics = ValueStatistics()
    let buffer = try AlignedBuffer(byteCount: Resources.streamByteCount)
    try source.stream(tensor.number, through: buffer, cancellation: resources.cancellation) {
      statistics.add($0, dtype: tensor.info.dtype)
      resources.progress($0.count)
    }
    return json(.init(statistics))
  }

  /// Up to eight values from the start.
  private static func firstValues(_ source: ModelSource, _ tensor: Inspection.Tensor) throws -> JSONValue {
    let count = min(8, tensor.info.elementCount)
    let width = tensor.info.dtype.bitWidth
    guard count > 0, width >= 8 else { return [] }
    guard source.isReadable(tensor.number) else { return .null }
    let buffer = try AlignedBuffer(byteCount: count * width / 8)
    do { try source.read(tensor.number, at: 0, into: buffer.bytes) } catch ArchiveError.unknownEncoding {
      return .null
    } catch ArchiveError.unknownLayout {
      return .null
    }
    return .array((0..<count).map { value(UnsafeRawBufferPointer(buffer.bytes), $0, tensor.info.dtype) })
  }

  private static func value(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ dtype: DType) -> JSONValue {
    func load<Value: BitwiseCopyable>(_: Value.Type) -> Value {
      bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Value>.size, as: Value.self)
    }
    switch dtype {
    case .f32: return .double(Double(load(Float.self)))
    case .f64: return .double(load(Double.self))
    case .bf16: return .double(Double(Float(bitPattern: UInt32(load(UInt16.self)) << 16)))
    case .f16:
      var bits = load(UInt16.self)
      var value: Float = 0
      ElementCast.widen(count: 1, from: &bits, .f16, to: &value)
      return .double(Double(value))
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

  public var json: JSONValue { .object(fields.map { JSONValue.Member($0.key, $0.value) }) }

  public var lines: [String] {
    let width = fields.map(\.key.count).max() ?? 0
    return fields.flatMap { key, value -> [String] in
      // Several planes or runs take a line each.
      let items = value.array.flatMap { $0.first?.object == nil ? nil : $0 } ?? [value]
      return items.enumerated().map { number, item in
        let shown = item.string.map { PrintableText.shortened($0, to: 200) } ?? item.text()
        let title = number == 0 ? key : ""
        return title + String(repeating: " ", count: width - title.count + 2) + shown
      }
    }
  }
}

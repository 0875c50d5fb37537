import Encodings
import Foundation
import JSONText
import Kernels
import Tensors
import Testing
import TestSupport

@testable import BantamArchive

/// A small archive: two components, an alias, a tiled tensor, an empty one, carried files.
struct SmallArchive {
  let folder = TemporaryFolder()
  var path: String { folder["small.bantam"] }

  static let tile = TileLayout(elementBits: 16, tileRows: 4, tileColumns: 4, turnColumns: 2)!
  static let matrix = [UInt8]((0..<5 * 7 * 2).map { UInt8(truncatingIfNeeded: $0 * 3 + 1) })

  /// Plane bytes by tensor.
  static func content() -> [(info: TensorInfo, layout: PlaneLayout, bytes: [UInt8])] {
    func info(_ name: String, _ dtype: DType, _ shape: [Int]) -> TensorInfo {
      TensorInfo(name: TensorName(name), dtype: dtype, shape: shape)!
    }
    var tiled = [UInt8](repeating: 0, count: tile.planeByteCount(MatrixShape(rows: 5, columns: 7))!)
    var plain = matrix
    tiled.withUnsafeMutableBytes { plane in
      plain.withUnsafeMutableBytes {
        tile.copy(
          rowRange: 0..<5, shape: MatrixShape(rows: 5, columns: 7), plane: plane, plain: $0, toPlain: false)
      }
    }
    return [
      (info("llm.embed", .f32, [3, 5]), .rowMajor, Array(0..<60)),
      (info("llm.tiled", .bf16, [5, 7]), .tiled(tile), tiled),
      (info("vae.scalar", .f64, []), .rowMajor, Array(1...8)),
      (info("vae.empty", .u8, [0, 4]), .rowMajor, []),
      (info("vae.five", .f8E4M3, [1, 2, 3, 1, 2]), .rowMajor, Array(100..<112)),
    ]
  }

  init(geometry: Superblock.Geometry = .init()) throws {
    let content = Self.content()
    func tensor(_ number: Int) -> ArchivePlan.Tensor {
      ArchivePlan.Tensor(
        info: content[number].info, role: "matrix", encoding: .plain,
        planes: [.init(kind: .values, layout: content[number].layout, byteCount: content[number].bytes.count)],
        source: .init(
          file: 0, name: content[number].info.name, dtype: content[number].info.dtype, offset: 8, byteCount: 4,
          digest: Digest([UInt8](repeating: 0, count: 32))),
        hasStatistics: true)
    }
    let alias = ArchivePlan.Tensor(
      info: TensorInfo(name: "llm.head", dtype: .f32, shape: [3, 5])!, role: "head", encoding: .plain, planes: [],
      aliasOf: 0, source: nil, hasStatistics: false)
    let plan = ArchivePlan(
      components: [("llm", [tensor(0), tensor(1), alias]), ("vae", [tensor(2), tensor(3), tensor(4)])],
      sourceFiles: [.init(path: "model.safetensors", byteCount: 1000)],
      blobs: [("config.json", Array("{\"a\":1}".utf8)), ("unet/config.json", [])],
      metadata: .members(["family": "generic"]), geometry: geometry)
    let writer = try ArchiveWriter(path: path, plan: plan)
    for (number, item) in [0, 1, 3, 4, 5].enumerated() {
      let sink = writer.sink(tensor: item, plane: 0)
      try content[number].bytes.withUnsafeBytes { try sink.append($0) }
      let plain = number == 1 ? Self.matrix : content[number].bytes
      var statistics = ValueStatistics()
      plain.withUnsafeBytes { statistics.add($0, dtype: content[number].info.dtype) }
      writer.record(tensor: item, planes: [sink], sourceDigest: SHA256.of(plain), statistics: .init(statistics))
    }
    try writer.commit()
  }

  /// Geometry that keeps the file small enough to cut it at every byte.
  static let compact: Superblock.Geometry = {
    var geometry = Superblock.Geometry()
    geometry.arenaAlignment = 64
    geometry.largeAlignment = 64
    geometry.chunkByteCount = 4096
    return geometry
  }()
}

@Suite struct ArchiveTests {
  private func plain(_ archive: Archive, _ name: String) throws -> [UInt8] {
    let number = try #require(archive.tensorNumber(TensorName(name)))
    let buffer = try AlignedBuffer(byteCount: archive.index.tensors[number].info.byteCount)
    try archive.readable(number).read(at: 0, into: buffer.bytes)
    return [UInt8](UnsafeRawBufferPointer(buffer.bytes))
  }

  @Test func everyTensorAndFileComesBack() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    #expect(try plain(archive, "llm.embed") == Array(0..<60))
    #expect(try plain(archive, "llm.head") == Array(0..<60))
    #expect(try plain(archive, "llm.tiled") == SmallArchive.matrix)
    #expect(try plain(archive, "vae.scalar") == Array(1...8))
    #expect(try plain(archive, "vae.empty") == [])
    #expect(try plain(archive, "vae.five") == Array(100..<112))
    #expect(archive.index.tensors[5].info.shape == [1, 2, 3, 1, 2])
    #expect(try archive.contents(of: archive.index.blobs[0]) == Array("{\"a\":1}".utf8))
    #expect(archive.index.components.map(\.name) == ["llm", "vae"])
    #expect(try ArchiveVerifier.verify(archive, threadCount: 2).isEmpty)
  }

  @Test func partsOfATiledTensorCanBeRead() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    let number = try #require(archive.tensorNumber("llm.tiled"))
    for (offset, count) in [(0, 2), (8, 20), (54, 6), (68, 2)] {
      let buffer = try AlignedBuffer(byteCount: count)
      try archive.readable(number).read(at: offset, into: buffer.bytes)
      #expect(Array(buffer.bytes) == Array(SmallArchive.matrix[offset..<offset + count]))
    }
  }

  @Test func aPlaneStartsWhereItsSizeAsks() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    for tensor in archive.index.tensors { for plane in tensor.planes { #expect(plane.offset % 64 == 0) } }
    for component in archive.index.components {
      #expect(component.arenaOffset % 65536 == 0)
      let last = archive.index.tensors[component.tensorRange].flatMap(\.planes).map { $0.offset + $0.byteCount }.max()!
      #expect(component.arenaOffset + component.arenaByteCount == last + 256)
    }
  }

  @Test func theSameContentGivesTheSameBytes() throws {
    let (a, b) = (try SmallArchive(), try SmallArchive())
    #expect(a.folder.bytes(of: "small.bantam") == b.folder.bytes(of: "small.bantam"))
  }

  @Test func aTruncationAtEveryByteIsRefused() throws {
    let small = try SmallArchive(geometry: SmallArchive.compact)
    let size = small.folder.bytes(of: "small.bantam").count
    #expect(size < 20_000)
    for count in stride(from: size - 1, through: 0, by: -1) {
      truncate(small.path, count)
      #expect(throws: ArchiveError.self, "\(count) bytes") { try Archive(path: small.path) }
    }
  }

  @Test func everySingleFlippedBitIsFound() throws {
    let small = try SmallArchive(geometry: SmallArchive.compact)
    let bytes = small.folder.bytes(of: "small.bantam")
    var generator = SeededGenerator(8)
    for _ in 0..<2000 {
      let bit = Int(generator.next() % UInt64(bytes.count * 8))
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      small.folder.write(flipped, to: "flipped")
      do {
        let findings = try ArchiveVerifier.verify(Archive(path: small.folder["flipped"]), threadCount: 1)
        let finding = try #require(findings.first, "bit \(bit) was not found")
        #expect(!finding.name.isEmpty)
        #expect(finding.offset <= bit / 8 && bit / 8 < finding.offset + finding.byteCount, "bit \(bit): \(finding)")
      } catch let error as ArchiveError {
        guard case .tableDamaged(_, let table) = error else {
          Issue.record("bit \(bit): \(error)")
          continue
        }
        #expect(!table.isEmpty)
      }
    }
  }

  @Test func aFlippedBitInTheTensorTableNamesTheTable() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    var bytes = small.folder.bytes(of: "small.bantam")
    let index = archive.superblock.index
    let table = SectionTable.damagedSection(in: Array(bytes[index.offset..<index.end]), path: "")
    #expect(table == nil)
    // The tensors' records lie in the middle of the index.
    bytes[index.offset + index.byteCount / 2] ^= 1
    small.folder.write(bytes, to: "flipped")
    #expect(throws: ArchiveError.tableDamaged(path: small.folder["flipped"], table: "tensor table")) {
      try Archive(path: small.folder["flipped"])
    }
  }

  @Test func damageIsFoundWhenAChunkIsFirstTouched() throws {
    let small = try SmallArchive()
    let offset = try Archive(path: small.path).index.tensors[0].planes[0].offset
    var bytes = small.folder.bytes(of: "small.bantam")
    bytes[offset + 59] ^= 4
    small.folder.write(bytes, to: "small.bantam")
    let archive = try Archive(path: small.path)
    let buffer = try AlignedBuffer(byteCount: 4)
    #expect(throws: ArchiveError.chunkDamaged(path: small.path, name: "llm.embed", offset: offset)) {
      try archive.readable(0).read(at: 0, into: buffer.bytes)
    }
    #expect(try plain(archive, "vae.scalar") == Array(1...8))
  }

  @Test func oneDamagedSuperblockIsSurvivedAndReported() throws {
    let small = try SmallArchive()
    for slot in 0..<2 {
      var bytes = small.folder.bytes(of: "small.bantam")
      bytes[slot * 4096 + 30] ^= 1
      small.folder.write(bytes, to: "damaged")
      let archive = try Archive(path: small.folder["damaged"])
      let findings = try ArchiveVerifier.verify(archive, threadCount: 1)
      #expect(findings.map(\.name) == ["superblock \(slot == 0 ? "A" : "B")"])
    }
  }

  // MARK: Edits

  @Test func anEditWritesKilobytesAndKeepsThePayload() throws {
    let small = try SmallArchive()
    let before = small.folder.bytes(of: "small.bantam")
    for round in 1...3 {
      try ArchiveEditor.edit(path: small.path) { .object(($0.object ?? []) + [.init("round\(round)", .int(round))]) }
    }
    let archive = try Archive(path: small.path)
    #expect(archive.metadata["round3"] == 3)
    #expect(archive.metadata["family"] == "generic")
    #expect(archive.superblock.generation == 4)
    let after = small.folder.bytes(of: "small.bantam")
    #expect(after[8192..<before.count] == before[8192...])
    #expect(after.count - before.count < 1000)
    #expect(try ArchiveVerifier.verify(archive, threadCount: 1).isEmpty)
  }

  @Test func anEditThatStopsAnywhereLeavesTheOldFileOrTheNew() throws {
    let small = try SmallArchive(geometry: SmallArchive.compact)
    let old = small.folder.bytes(of: "small.bantam")
    try ArchiveEditor.edit(path: small.path) { _ in .members(["family": "new"]) }
    let new = small.folder.bytes(of: "small.bantam")
    // The order of writes: the table behind the end, then superblock B. A stop may leave any prefix of either.
    for count in 0...(new.count - old.count) {
      small.folder.write(old + new[old.count..<old.count + count], to: "stopped")
      let archive = try Archive(path: small.folder["stopped"])
      #expect(archive.metadata["family"] == "generic")
    }
    for count in stride(from: 0, through: 4096, by: 7) {
      var stopped = new
      stopped.replaceSubrange(4096..<8192, with: new[4096..<4096 + count] + old[4096 + count..<8192])
      small.folder.write(stopped, to: "stopped")
      let family = try Archive(path: small.folder["stopped"]).metadata["family"]
      #expect(family == "generic" || family == "new")
    }
    // The next edit succeeds on what a stop left.
    small.folder.write(old + [1, 2, 3], to: "stopped")
    try ArchiveEditor.edit(path: small.folder["stopped"]) { _ in .members(["family": "again"]) }
    #expect(try ArchiveVerifier.verify(Archive(path: small.folder["stopped"]), threadCount: 1).isEmpty)
  }

  @Test func tenThousandMutantsDoNoHarm() throws {
    let small = try SmallArchive(geometry: SmallArchive.compact)
    let archive = try Archive(path: small.path)
    let bytes = small.folder.bytes(of: "small.bantam")
    let index = Array(bytes[archive.superblock.index.offset..<archive.superblock.index.end])
    var generator = SeededGenerator(9)
    for round in 0..<10_000 {
      // Half of the mutants get past the digest, as an attacker's would.
      if round % 2 == 0 {
        if let index = try? ArchiveIndex(generator.mutant(of: index), path: "") {
          try? index.checkRanges(path: "", payloadEnd: archive.superblock.index.offset, geometry: SmallArchive.compact)
        }
      } else {
        var page = generator.mutant(of: Array(bytes[0..<4092]))
        page = Array((page + [UInt8](repeating: 0, count: 4092)).prefix(4092))
        page += withUnsafeBytes(of: CRC32C.of(page).littleEndian) { Array($0) }
        _ = try? Superblock(page, path: "")
      }
    }
  }
}

import Tensors
import Testing
import TestSupport
import ZipFiles

/// One archive for each rule that is broken, with the error that it must give.
@Suite struct ZipHostileTests {
  /// A sound archive, changed by the body.
  static func archive(_ change: (inout ZipFile) -> Void) -> [UInt8] {
    var file = ZipFile([.init("a/one", [1, 2, 3]), .init("a/two", [4, 5])])
    change(&file)
    return file.bytes()
  }

  static func entry(_ change: (inout ZipFile.Entry) -> Void) -> [UInt8] { archive { change(&$0.entries[0]) } }

  static func zip64(_ change: (inout ZipFile.Zip64) -> Void, plain: (inout ZipFile) -> Void = { _ in }) -> [UInt8] {
    archive {
      var record = ZipFile.Zip64()
      change(&record)
      $0.zip64 = record
      plain(&$0)
    }
  }

  static let field64: [UInt8] = little(UInt16(1)) + little(UInt16(8)) + little(UInt64(3))

  static let directory: [(rule: String, bytes: [UInt8], error: String)] = [
    ("a local header and nothing else", Array("PK\u{3}\u{4}".utf8), "noDirectory"),
    ("cut by one byte", archive { _ in }.dropLast(), "noDirectory"),
    ("cut in half", Array(archive { _ in }.prefix(80)), "noDirectory"),
    ("one byte behind", archive { _ in } + [0], "noDirectory"),
    ("zeros behind", archive { _ in } + [UInt8](repeating: 0, count: 512), "noDirectory"),
    ("an end record in the comment", archive { $0.comment = ZipFile([]).bytes() }, "severalDirectories"),
    ("disk 1", archive { $0.disk = 1 }, "severalDisks"),
    ("directory on disk 1", archive { $0.directoryDisk = 1 }, "severalDisks"),
    ("fewer entries on this disk", archive { $0.diskEntries = 1 }, "severalDisks"),
    ("entries in zip64 that is not there", archive { $0.entryCount = .max }, "zip64LocatorMissing"),
    ("size in zip64 that is not there", archive { $0.directoryByteCount = .max }, "zip64LocatorMissing"),
    ("place in zip64 that is not there", archive { $0.directoryOffset = .max }, "zip64LocatorMissing"),
    ("locator on disk 1", zip64 { $0.locatorDisk = 1 }, "severalDisks"),
    ("locator of two disks", zip64 { $0.disks = 2 }, "severalDisks"),
    ("locator leads elsewhere", zip64 { $0.locatorOffset = 0 }, "badZip64Record"),
    ("locator leads past 2^63", zip64 { $0.locatorOffset = .max }, "badZip64Record"),
    ("zip64 record without its mark", zip64 { $0.signature = 0 }, "badZip64Record"),
    ("zip64 record of another size", zip64 { $0.size = 45 }, "badZip64Record"),
    ("zip64 record of 2^64 - 1 bytes", zip64 { $0.size = .max }, "badZip64Record"),
    ("zip64 record on disk 1", zip64 { $0.disk = 1 }, "severalDisks"),
    ("zip64 with other entries", zip64 { $0.entries = 3 }, "zip64Disagrees"),
    ("zip64 with another size", zip64 { $0.byteCount = 1 }, "zip64Disagrees"),
    ("zip64 with another place", zip64 { $0.offset = 1 }, "zip64Disagrees"),
    ("2^63 entries", zip64({ $0.entries = 1 << 63 }, plain: { $0.entryCount = .max }), "tooManyEntries"),
    (
      "an entry over the limit",
      zip64({ $0.entries = UInt64(Limits.zipEntryCount) + 1 }, plain: { $0.entryCount = .max }),
      "tooManyEntries"
    ),
    (
      "a directory over the limit",
      zip64({ $0.byteCount = UInt64(Limits.zipDirectoryByteCount) + 1 }, plain: { $0.directoryByteCount = .max }),
      "directoryTooLarge"
    ),
    (
      "a place that wraps", zip64({ $0.offset = .max - 10 }, plain: { $0.directoryOffset = .max }), "directoryOutside"
    ),
    ("directory past the end", archive { $0.directoryOffset = 1 << 20 }, "directoryOutside"),
    ("directory reaches into its end record", archive { $0.directoryByteCount = 104 }, "directoryOutside"),
    ("bytes behind the directory", archive { $0.gap = [0, 0] }, "directoryMisplaced"),
    ("bytes before the first entry", [0, 0] + archive { _ in }, "directoryMisplaced"),
    ("one entry more than there are", archive { $0.entryCount = 3 }, "entryCount"),
    ("one entry less than there are", archive { $0.entryCount = 1 }, "entryCount"),
    ("more entries than the bytes can hold", archive { $0.entryCount = 60_000 }, "entryCount"),
  ]

  static let entries: [(rule: String, bytes: [UInt8], error: String)] = [
    ("no mark in the directory", entry { $0.signature = 0 }, "badDirectoryEntry"),
    ("name past the directory", entry { $0.nameCount = 2000 }, "badDirectoryEntry"),
    ("extra field past the directory", entry { $0.extraCount = 2000 }, "badDirectoryEntry"),
    ("comment past the directory", entry { $0.commentCount = 2000 }, "badDirectoryEntry"),
    ("on disk 1", entry { $0.disk = 1 }, "severalDisks"),
    ("encrypted", entry { $0.flags = 1 }, "encrypted"),
    ("strongly encrypted", entry { $0.flags = 0x40 }, "encrypted"),
    ("masked", entry { $0.flags = 0x2000 }, "encrypted"),
    ("encrypted in its own header only", entry { $0.local.flags = 1 }, "encrypted"),
    ("shrunk", entry { $0.method = 1 }, "unknownMethod"),
    ("deflate64", entry { $0.method = 9 }, "unknownMethod"),
    ("bzip2", entry { $0.method = 12 }, "unknownMethod"),
    ("zstd", entry { $0.method = 93 }, "unknownMethod"),
    ("AES", entry { $0.method = 99 }, "unknownMethod"),
    ("stored in two sizes", entry { $0.byteCount = 4 }, "storedSizes"),
    ("size in zip64 that is not there", entry { $0.byteCount = .max }, "sizeMissing"),
    ("packed size in zip64 that is not there", entry { $0.packedByteCount = .max }, "sizeMissing"),
    ("place in zip64 that is not there", entry { $0.offset = .max }, "sizeMissing"),
    (
      "zip64 field that is too short",
      entry {
        $0.extra = little(UInt16(1)) + little(UInt16(4)) + little(UInt32(3))
        $0.byteCount = .max
      }, "sizeMissing"
    ),
    (
      "zip64 size of 2^63",
      entry {
        $0.extra = little(UInt16(1)) + little(UInt16(8)) + little(UInt64(1) << 63)
        $0.byteCount = .max
      }, "outside"
    ),
    ("zip64 field twice", entry { $0.extra = field64 + field64 }, "headersDiffer"),
    ("zip64 field twice in its own header", entry { $0.local.extra = field64 + field64 }, "headersDiffer"),
    ("empty name", entry { $0.name = [] }, "badName"),
    ("name that leads up", entry { $0.name = Array("../x".utf8) }, "badName"),
    ("name from the root", entry { $0.name = Array("/x".utf8) }, "badName"),
    ("name with an empty part", entry { $0.name = Array("a//x".utf8) }, "badName"),
    ("name with a back slash", entry { $0.name = Array("a\\x".utf8) }, "badName"),
    ("name with NUL", entry { $0.name = Array("a\0x".utf8) }, "badName"),
    ("name from home", entry { $0.name = Array("~x".utf8) }, "badName"),
    ("name that is not UTF-8", entry { $0.name = [0x61, 0xFF] }, "badName"),
    ("name twice", entry { $0.name = Array("a/two".utf8) }, "nameTwice"),
    ("place in the directory", entry { $0.offset = 80 }, "outside"),
    ("place at 2^32 - 2", entry { $0.offset = .max - 1 }, "outside"),
    ("no mark in its own header", entry { $0.local.signature = 0 }, "badLocalHeader"),
    ("another name in its own header", entry { $0.local.name = Array("a/onf".utf8) }, "headersDiffer"),
    ("a longer name in its own header", entry { $0.local.name = Array("a/one!".utf8) }, "headersDiffer"),
    ("another method in its own header", entry { $0.local.method = 8 }, "headersDiffer"),
    ("another size in its own header", entry { $0.local.byteCount = 2 }, "headersDiffer"),
    ("another packed size in its own header", entry { $0.local.packedByteCount = 2 }, "headersDiffer"),
    ("another checksum in its own header", entry { $0.local.checksum = 2 }, "headersDiffer"),
    ("a descriptor in its own header only", entry { $0.local.flags = 8 }, "headersDiffer"),
    ("an extra field past the directory in its own header", entry { $0.local.extraCount = 60_000 }, "headersDiffer"),
    (
      "data past the directory",
      archive {
        $0.entries[1].byteCount = 200
        $0.entries[1].packedByteCount = 200
      }, "outside"
    ),
    (
      "data that reaches into the next entry",
      entry {
        $0.byteCount = 4
        $0.packedByteCount = 4
      }, "overlap"
    ),
    (
      "two entries with one header",
      archive {
        $0.entries[1].name = Array("a/one".utf8)
        $0.entries[0].name = Array("a/onf".utf8)
        $0.entries[0].local.name = Array("a/one".utf8)
        $0.entries[1].offset = 0
      }, "headersDiffer"
    ),
  ]

  @Test(arguments: directory.indices) func refusesDirectory(index: Int) throws {
    try Self.check(Self.directory[index])
  }

  @Test(arguments: entries.indices) func refusesEntry(index: Int) throws { try Self.check(Self.entries[index]) }

  static func check(_ item: (rule: String, bytes: [UInt8], error: String)) throws {
    HostileFiles.keep(item.bytes, rule: item.rule, ending: "zip")
    let folder = TemporaryFolder()
    let file = try ReadableFile(path: folder.write(item.bytes, to: "a.zip"))
    do {
      _ = try ZipArchive(file)
      Issue.record("\(item.rule): accepted")
    } catch { #expect(caseName(error) == item.error, "\(item.rule): \(error)") }
  }

  /// A raw deflate stream of one stored block.
  static func deflated(_ data: [UInt8]) -> [UInt8] {
    [1] + little(UInt16(data.count)) + little(~UInt16(data.count)) + data
  }

  static let contents: [(rule: String, entry: ZipFile.Entry, error: String)] = {
    func made(_ data: [UInt8], method: UInt16 = 8, size: UInt32, checksum: UInt32 = 0x8858_7627) -> ZipFile.Entry {
      var entry = ZipFile.Entry("a/x", data)
      entry.method = method
      entry.byteCount = size
      entry.checksum = checksum
      return entry
    }
    let abc = Array("abc".utf8)  // CRC-32 0x352441C2
    return [
      ("stored with another checksum", made(abc, method: 0, size: 3, checksum: 7), "checksum"),
      ("deflated with another checksum", made(deflated(abc), size: 3, checksum: 7), "file"),
      ("no deflate stream", made([0xFF, 0xFF, 0xFF], size: 3), "file"),
      ("cut deflate stream", made(deflated(abc).dropLast(2), size: 3), "file"),
      ("unpacks to less", made(deflated(abc), size: 4, checksum: 0x3524_41C2), "file"),
      ("unpacks to more", made(deflated(abc), size: 2, checksum: 0x3524_41C2), "file"),
      ("bytes behind the stream", made(deflated(abc) + [0], size: 3, checksum: 0x3524_41C2), "file"),
      ("claims to gain more than deflate can", made([3, 0], size: 4000), "expansion"),
      ("larger than the caller allows", made([UInt8](repeating: 0, count: 5000), method: 0, size: 5000), "file"),
    ]
  }()

  @Test(arguments: contents.indices) func refusesContents(index: Int) throws {
    let (rule, entry, expected) = Self.contents[index]
    let folder = TemporaryFolder()
    let archive = try ZipArchive(ReadableFile(path: folder.write(ZipFile([entry]).bytes(), to: "a.zip")))
    do {
      _ = try archive.contents(archive.entries[0], limit: 4096)
      Issue.record("\(rule): accepted")
    } catch { #expect(caseName(error) == expected, "\(rule): \(error)") }
  }

  @Test func readsWhatIsSound() throws {
    var deflated = ZipFile.Entry("a/x", Self.deflated(Array("abc".utf8)))
    deflated.method = 8
    deflated.byteCount = 3
    deflated.checksum = 0x3524_41C2
    var described = ZipFile.Entry("a/y", [1, 2])
    described.flags = 8
    described.local.byteCount = 0
    described.local.packedByteCount = 0
    var file = ZipFile([deflated, described, .init("a/folder/", []), .init("a/empty", [])])
    file.comment = Array("PK\u{5}\u{6}, a comment".utf8)
    file.zip64 = .init()
    let folder = TemporaryFolder()
    let archive = try ZipArchive(ReadableFile(path: folder.write(file.bytes(), to: "a.zip")))
    #expect(archive.entries.map { String(decoding: archive.name(of: $0), as: UTF8.self) } == ["a/x", "a/y", "a/empty"])
    #expect(try archive.contents(archive.entries[0], limit: 3) == Array("abc".utf8))
    #expect(try archive.contents(archive.entries[1], limit: 3) == [1, 2])
    let unpacked = try archive.unpacked(archive.entries[0], in: TemporarySpace())
    #expect(try unpacked.bytes(at: 1, count: 2) == Array("bc".utf8))
    #expect(try unpacked.bytes(at: 0, count: 3) == Array("abc".utf8))
  }

  @Test func mutantsEndInAnErrorOrAnArchive() throws {
    let sound = Self.archive { $0.zip64 = .init() }
    var generator = SeededGenerator(3)
    let folder = TemporaryFolder()
    for _ in 0..<2000 {
      let file = try ReadableFile(path: folder.write(generator.mutant(of: sound), to: "a.zip"))
      guard let archive = try? ZipArchive(file) else { continue }
      for entry in archive.entries { _ = try? archive.contents(entry, limit: 4096) }
    }
  }
}

import Checkpoints
import Foundation
import Tensors
import Testing
import TestSupport

/// One PyTorch file for each rule that is broken, with the error that it must give.
@Suite struct TorchHostileTests {
  /// Pickles by hand, for the tensors of a file.
  enum Py {
    static func text(_ text: String) -> [UInt8] { [0x58] + little(UInt32(text.utf8.count)) + Array(text.utf8) }
    static func int(_ value: Int) -> [UInt8] { [0x8A, 8] + little(Int64(value)) }
    static func tuple(_ items: [[UInt8]]) -> [UInt8] { [0x28] + items.flatMap { $0 } + [0x74] }
    static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    static func call(_ global: [UInt8], _ items: [[UInt8]]) -> [UInt8] { global + tuple(items) + [0x52] }
    static func dict(_ pairs: [(String, [UInt8])]) -> [UInt8] {
      [0x7D, 0x28] + pairs.flatMap { text($0.0) + $0.1 } + [0x75]
    }
    static let no: [UInt8] = [0x89]

    static func storage(
      key: [UInt8] = text("0"), type: [UInt8] = global("torch", "FloatStorage"), count: [UInt8] = int(6),
      mark: String = "storage", view: [UInt8]? = nil
    ) -> [UInt8] {
      tuple([text(mark), type, key, text("cpu"), count] + (view.map { [$0] } ?? [])) + [0x51]
    }

    static func tensor(
      _ storage: [UInt8] = storage(), offset: [UInt8] = int(0), shape: [UInt8] = tuple([int(2), int(3)]),
      strides: [UInt8] = tuple([int(3), int(1)])
    ) -> [UInt8] {
      call(global("torch._utils", "_rebuild_tensor_v2"), [storage, offset, shape, strides, no, dict([])])
    }

    static func typed(_ dtype: [UInt8], count: Int = 24) -> [UInt8] {
      call(
        global("torch._utils", "_rebuild_tensor_v3"),
        [
          storage(type: global("torch.storage", "UntypedStorage"), count: int(count)), int(0), tuple([int(2), int(3)]),
          tuple([int(3), int(1)]), no, dict([]), dtype,
        ])
    }

    static func sizes(_ sizes: [Int]) -> [UInt8] { tuple(sizes.map(int)) }
  }

  /// A file of the zip form: its pickle, and a storage of six f32.
  static func zip(_ root: [UInt8], _ change: (inout ZipFile) -> Void = { _ in }) -> [UInt8] {
    var file = ZipFile([
      .init("archive/data.pkl", [0x80, 2] + root + [0x2E]), .init("archive/byteorder", Array("little".utf8)),
      .init("archive/data/0", [UInt8](repeating: 7, count: 24)), .init("archive/version", Array("3\n".utf8)),
    ])
    change(&file)
    return file.bytes()
  }

  static func one(_ tensor: [UInt8], _ change: (inout ZipFile) -> Void = { _ in }) -> [UInt8] {
    zip(Py.dict([("w", tensor)]), change)
  }

  /// A file of the form before zip.
  static func legacy(
    magic: [UInt8] = [0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19], version: Int = 1001,
    system: [UInt8] = Py.dict([("little_endian", [0x88])]), root: [UInt8] = Py.dict([("w", Py.tensor())]),
    keys: [UInt8] = Py.tuple([Py.text("0")]), data: [UInt8] = little(UInt64(6)) + [UInt8](repeating: 7, count: 24)
  ) -> [UInt8] {
    [magic, Py.int(version), system, root, keys].flatMap { [0x80, 2] + $0 + [0x2E] } + data
  }

  typealias Rule = (rule: String, bytes: [UInt8], error: String)

  static let geometry: [Rule] = [
    ("offset past the storage", one(Py.tensor(offset: Py.int(1))), "outsideStorage"),
    ("offset of 2^62", one(Py.tensor(offset: Py.int(1 << 62))), "outsideStorage"),
    ("negative offset", one(Py.tensor(offset: Py.int(-1))), "badTensor"),
    ("offset as text", one(Py.tensor(offset: Py.text("0"))), "badTensor"),
    ("shape past the storage", one(Py.tensor(shape: Py.sizes([3, 3]))), "outsideStorage"),
    ("negative size", one(Py.tensor(shape: Py.sizes([-2, 3]))), "badTensor"),
    ("size as text", one(Py.tensor(shape: Py.tuple([Py.text("2"), Py.int(3)]))), "badTensor"),
    ("shape as a number", one(Py.tensor(shape: Py.int(6))), "badTensor"),
    (
      "size beyond 64 bits",
      one(Py.tensor(shape: Py.tuple([[0x8A, 9] + [UInt8](repeating: 1, count: 9), Py.int(3)]))), "badTensor"
    ),
    ("product that overflows", one(Py.tensor(shape: Py.sizes([1 << 40, 1 << 40]))), "badTensor"),
    (
      "65 dimensions",
      one(
        Py.tensor(shape: Py.sizes([Int](repeating: 1, count: 65)), strides: Py.sizes([Int](repeating: 1, count: 65)))),
      "badTensor"
    ),
    ("one stride less", one(Py.tensor(strides: Py.sizes([1]))), "badTensor"),
    ("one stride more", one(Py.tensor(strides: Py.sizes([3, 1, 1]))), "badTensor"),
    ("negative stride", one(Py.tensor(strides: Py.sizes([3, -1]))), "badTensor"),
    ("stride past the storage", one(Py.tensor(strides: Py.sizes([4, 1]))), "outsideStorage"),
    ("stride that overflows", one(Py.tensor(strides: Py.sizes([.max, .max]))), "outsideStorage"),
    (
      "reach that wraps", one(Py.tensor(shape: Py.sizes([3, 3]), strides: Py.sizes([1 << 62, 1 << 62]))),
      "outsideStorage"
    ),
    (
      "stride 0 made huge", one(Py.tensor(shape: Py.sizes([1 << 30, 3]), strides: Py.sizes([0, 1]))), "expandedTooFar"
    ),
    (
      "stride 0 one over the limit",
      one(Py.tensor(shape: Py.sizes([6 * 1024 + 1024]), strides: Py.sizes([0]))), "expandedTooFar"
    ),
    (
      "too few values",
      one(Py.call(Py.global("torch._utils", "_rebuild_tensor_v2"), [Py.storage(), Py.int(0)])), "badTensor"
    ),
    (
      "a lazy negative",
      one(
        Py.call(
          Py.global("torch._utils", "_rebuild_tensor_v2"),
          [
            Py.storage(), Py.int(0), Py.sizes([2, 3]), Py.sizes([3, 1]), Py.no, Py.dict([]), Py.dict([("neg", [0x88])]),
          ])),
      "badTensor"
    ),
    ("a dtype that is no dtype", one(Py.typed(Py.global("torch", "Size"))), "unknownDType"),
    ("a dtype as text", one(Py.typed(Py.text("torch.uint16"))), "badTensor"),
    ("a dtype that does not fit the bytes", one(Py.typed(Py.global("torch", "float64"))), "outsideStorage"),
  ]

  static let storages: [Rule] = [
    ("storage that is not in the file", one(Py.tensor(Py.storage(key: Py.text("9")))), "storageMissing"),
    ("storage shorter than stated", one(Py.tensor(Py.storage(count: Py.int(7)))), "storageTooShort"),
    ("storage of 2^60 elements", one(Py.tensor(Py.storage(count: Py.int(1 << 60)))), "storageTooShort"),
    ("storage whose bytes overflow", one(Py.tensor(Py.storage(count: Py.int(1 << 62)))), "badStorageReference"),
    ("storage of -1 elements", one(Py.tensor(Py.storage(count: Py.int(-1)))), "badStorageReference"),
    ("count as text", one(Py.tensor(Py.storage(count: Py.text("6")))), "badStorageReference"),
    ("key as a number", one(Py.tensor(Py.storage(key: Py.int(0)))), "badStorageReference"),
    ("a module in place of a storage", one(Py.tensor(Py.storage(mark: "module"))), "badStorageReference"),
    ("a type that is no storage", one(Py.tensor(Py.storage(type: Py.global("torch", "Size")))), "badStorageReference"),
    ("a persistent id that is no tuple", one(Py.tensor(Py.text("0") + [0x51])), "badStorageReference"),
    ("a number in place of a storage", one(Py.tensor(Py.int(3))), "badStorageReference"),
    ("quantized storage", one(Py.tensor(Py.storage(type: Py.global("torch", "QInt8Storage")))), "pickle"),
    ("compressed storage", one(Py.tensor()) { $0.entries[2] = deflated($0.entries[2]) }, "storageCompressed"),
    ("cut record", one(Py.tensor()) { $0.entries[2].data.removeLast() }, "storageTooShort"),
    (
      "view past its storage", one(Py.tensor(Py.storage(view: Py.tuple([Py.text("1"), Py.int(4), Py.int(6)])))),
      "badStorageReference"
    ),
    (
      "view with a negative offset", one(Py.tensor(Py.storage(view: Py.tuple([Py.text("1"), Py.int(-1), Py.int(6)])))),
      "badStorageReference"
    ),
    (
      "view of two values", one(Py.tensor(Py.storage(view: Py.tuple([Py.text("1"), Py.int(0)])))), "badStorageReference"
    ),
  ]

  static func deflated(_ entry: ZipFile.Entry) -> ZipFile.Entry {
    var entry = entry
    let count = UInt16(entry.data.count)
    entry.byteCount = UInt32(count)
    entry.data = [1] + little(count) + little(~count) + entry.data
    entry.method = 8
    return entry
  }

  static let files: [Rule] = [
    ("no data.pkl", zip([]) { $0.entries.removeFirst() }, "noPickle"),
    ("data.pkl two folders down", zip([]) { $0.entries[0].name = Array("a/b/data.pkl".utf8) }, "noPickle"),
    ("data.pkl without a folder", zip([]) { $0.entries[0].name = Array("data.pkl".utf8) }, "noPickle"),
    ("TorchScript", one(Py.tensor()) { $0.entries.append(.init("archive/constants.pkl", [1])) }, "torchScript"),
    ("big-endian", one(Py.tensor()) { $0.entries[1].data = Array("big".utf8) }, "bigEndian"),
    ("compressed pickle", one(Py.tensor()) { $0.entries[0] = deflated($0.entries[0]) }, "pickleCompressed"),
    ("a name that is not UTF-8", zip([0x7D, 0x55, 1, 0xFF] + Py.tensor() + [0x73]), "badTensor"),
    ("dicts that share their dicts of tensors", zip(shared(1000)), "pickle"),
    ("a long call, looked at often", zip(longCall()), "noTensors"),
    ("pickle with another checksum", one(Py.tensor()) { $0.entries[0].checksum = 5 }, "zip"),
    ("empty pickle", zip([]) { $0.entries[0].data = [] }, "pickle"),
    ("bytes behind the pickle", one(Py.tensor()) { $0.entries[0].data.append(0) }, "pickle"),
    ("a call", zip(Py.call(Py.global("os", "system"), [Py.text("true")])), "pickle"),
    ("a call in a list", zip([0x5D] + Py.call(Py.global("builtins", "exec"), [Py.text("1")]) + [0x61]), "pickle"),
    ("a sparse tensor", one(Py.call(Py.global("torch._utils", "_rebuild_sparse_tensor"), [])), "pickle"),
    ("a module with its code", zip(Py.global("torch.nn.modules.linear", "Linear") + [0x29, 0x81]), "pickle"),
    ("no tensors", zip(Py.dict([("epoch", Py.int(3))])), "noTensors"),
    ("an empty dict", zip(Py.dict([])), "noTensors"),
    ("a number", zip(Py.int(3)), "noTensors"),
    ("a tensor twice", zip(Py.dict([("w", Py.tensor()), ("w", Py.tensor())])), "nameTwice"),
    (
      "a tensor twice, by way of a dict",
      zip(Py.dict([("a.b", Py.tensor()), ("a", Py.dict([("b", Py.tensor())]))])), "nameTwice"
    ),
    (
      "the same in a number and in text",
      zip([0x7D, 0x28] + Py.int(1) + Py.tensor() + Py.text("1") + Py.tensor() + [0x75]), "nameTwice"
    ),
    ("an empty name", zip(Py.dict([("", Py.tensor())])), "badTensor"),
    ("a name over the limit", zip(Py.dict([(String(repeating: "n", count: 65_536), Py.tensor())])), "nameTooLong"),
    (
      "weights under two keys",
      zip(Py.dict([("state_dict", Py.dict([("w", Py.tensor())])), ("model", Py.dict([("w", Py.tensor())]))])),
      "severalStates"
    ),
    ("1100 dicts in one another", zip(nested(1100)), "tooDeep"),
    ("a list that holds itself", zip([0x5D, 0x71, 0, 0x68, 0, 0x61]), "tooDeep"),
    ("a list of one list twice, forty times", zip(doubled(40)), "pickle"),
  ]

  /// `{"a": {"a": ... {"w": tensor}}}`, by way of the memo, so that no mark stays open.
  static func nested(_ depth: Int) -> [UInt8] {
    var bytes = Py.dict([("w", Py.tensor())]) + [0x94]
    for index in 0..<depth {
      bytes += [0x30, 0x7D] + Py.text("a") + [0x6A] + little(UInt32(index)) + [0x73, 0x94]
    }
    return bytes
  }

  /// Each list holds the one before twice: 2^depth ways to the first.
  static func doubled(_ depth: Int) -> [UInt8] {
    var bytes: [UInt8] = [0x5D, 0x94]
    for index in 0..<depth {
      let recall = [0x6A] + little(UInt32(index))
      bytes += [0x30, 0x5D] + recall + [0x61] + recall + [0x61, 0x94]
    }
    return bytes
  }

  /// A dict of 1000 tensors, held under as many names: a million tensors out of little.
  static func shared(_ count: Int) -> [UInt8] {
    let inner =
      [0x7D] + Py.tensor() + [0x94, 0x30] + (0..<count).flatMap { Py.text("t\($0)") + [0x68, 0, 0x73] } + [0x94, 0x30]
    return [UInt8](inner) + [0x7D] + (0..<count).flatMap { Py.text("d\($0)") + [0x68, 1, 0x73] }
  }

  /// A call with 100,000 arguments, 200,000 times in a list.
  static func longCall() -> [UInt8] {
    Py.global("collections", "OrderedDict") + [0x28] + [UInt8](repeating: 0x4E, count: 100_000) + [
      0x74, 0x52, 0x94, 0x30,
    ]
      + [0x5D] + (0..<200_000).flatMap { _ in [0x68, 0, 0x61] }
  }

  static let beforeZip: [Rule] = [
    ("another magic number", legacy(magic: [0x8A, 10] + [UInt8](repeating: 1, count: 10)), "badLegacyHeader"),
    ("a small magic number", legacy(magic: Py.int(5)), "badLegacyHeader"),
    ("another version", legacy(version: 1000), "badLegacyHeader"),
    ("big-endian", legacy(system: Py.dict([("little_endian", [0x89])])), "bigEndian"),
    ("keys that are no list", legacy(keys: Py.int(1)), "badLegacyKeys"),
    ("a key that is a number", legacy(keys: Py.tuple([Py.int(0)])), "badLegacyKeys"),
    ("a key that no tensor has", legacy(keys: Py.tuple([Py.text("5")])), "storageUnnamed"),
    (
      "a key twice", legacy(keys: Py.tuple([Py.text("0"), Py.text("0")]), data: little(UInt64(0)) + little(UInt64(0))),
      "storageTwice"
    ),
    ("no keys", legacy(keys: Py.tuple([]), data: []), "storageMissing"),
    ("bytes behind the last storage", legacy() + [0], "trailingBytes"),
    ("cut in the data", Array(legacy().dropLast()), "storageTooShort"),
    ("cut in the count", Array(legacy().dropLast(26)), "storageTooShort"),
    ("a count of 2^63", legacy(data: little(UInt64(1) << 63)), "storageTooShort"),
    (
      "a count whose bytes wrap", legacy(data: little(UInt64(1) << 62 + 6) + [UInt8](repeating: 7, count: 24)),
      "storageTooShort"
    ),
    (
      "fewer elements than stated", legacy(data: little(UInt64(5)) + [UInt8](repeating: 7, count: 20)),
      "storageTooShort"
    ),
    (
      "a storage of two types",
      legacy(
        root: Py.dict([("a", Py.tensor()), ("b", Py.tensor(Py.storage(type: Py.global("torch", "HalfStorage"))))])),
      "storageTypes"
    ),
    ("cut behind the version", Array(legacy().prefix(30)), "pickle"),
    (
      "a call in the system's description", legacy(system: Py.call(Py.global("os", "system"), [Py.text("true")])),
      "pickle"
    ),
  ]

  @Test(arguments: geometry.indices) func refusesGeometry(index: Int) { Self.check(Self.geometry[index]) }
  @Test(arguments: storages.indices) func refusesStorage(index: Int) { Self.check(Self.storages[index]) }
  @Test(arguments: files.indices) func refusesFile(index: Int) { Self.check(Self.files[index]) }
  @Test(arguments: beforeZip.indices) func refusesFileBeforeZip(index: Int) { Self.check(Self.beforeZip[index]) }

  static func check(_ item: Rule) {
    HostileFiles.keep(item.bytes, rule: item.rule, ending: "pt")
    let folder = TemporaryFolder()
    do {
      _ = try Checkpoint(path: folder.write(item.bytes, to: "a.pt"))
      Issue.record("\(item.rule): accepted")
    } catch CheckpointError.torch(_, let error) {
      #expect(caseName(error) == item.error, "\(item.rule): \(error)")
    } catch { Issue.record("\(item.rule): \(error)") }
  }

  @Test func soundFilesAreRead() throws {
    let folder = TemporaryFolder()
    for (name, bytes) in [
      ("zip", Self.one(Py.tensor())), ("legacy", Self.legacy()),
      ("v3", Self.one(Py.typed(Py.global("torch", "int32")))),
    ] {
      let checkpoint = try Checkpoint(path: folder.write(bytes, to: name))
      #expect(checkpoint.entries.map(\.info.shape) == [[2, 3]], "\(name)")
      #expect(try FixtureTests.bytes(checkpoint.entries[0], checkpoint) == [UInt8](repeating: 7, count: 24), "\(name)")
    }
    // At the limit of what a view may repeat.
    let wide = Py.tensor(shape: Py.sizes([1024, 6]), strides: Py.sizes([0, 1]))
    let checkpoint = try Checkpoint(path: folder.write(Self.one(wide), to: "wide"))
    #expect(try FixtureTests.bytes(checkpoint.entries[0], checkpoint) == [UInt8](repeating: 7, count: 24 * 1024))
    #expect(try Checkpoint(path: folder.write(Self.zip(Self.nested(900)), to: "deep")).entries.count == 1)
  }

  /// Where training programs put the weights, and what they leave beside them.
  @Test func weightsAreFoundWhereProgramsPutThem() throws {
    let folder = TemporaryFolder()
    let weights = Py.dict([("w", Py.tensor())])
    func names(_ root: [UInt8]) throws -> [String] {
      try Checkpoint(path: folder.write(Self.zip(root), to: "a.pt")).entries.map(\.info.name.text)
    }
    // A tensor beside the weights, such as the best accuracy so far, is not one of them.
    #expect(try names(Py.dict([("best", Py.tensor()), ("state_dict", weights)])) == ["w"])
    // Settings under a key that elsewhere holds the weights.
    #expect(try names(Py.dict([("model", Py.dict([("width", Py.int(3))])), ("state_dict", weights)])) == ["w"])
    #expect(try names(Py.dict([("model", Py.dict([("width", Py.int(3))])), ("net", weights)])) == ["net.w"])
    // Python 2 wrote an OrderedDict as a call with a list of pairs.
    let pairs =
      [0x5D] + Py.tuple([Py.text("a"), Py.tensor()]) + [0x61] + Py.tuple([Py.text("b"), Py.tensor()]) + [0x61]
    let ordered = Py.call(Py.global("collections", "OrderedDict"), [[UInt8](pairs)])
    #expect(try names(ordered) == ["a", "b"])
    #expect(try names(Py.dict([("state_dict", ordered)])) == ["a", "b"])
  }

  @Test func hundredsOfViewsAreRead() throws {
    let folder = TemporaryFolder()
    let turned = Py.tensor(shape: Py.sizes([3, 2]), strides: Py.sizes([1, 3]))
    let root = Py.dict((0..<400).map { ("t\($0)", turned) })
    let checkpoint = try Checkpoint(path: folder.write(Self.zip(root), to: "a.pt"))
    for entry in checkpoint.entries {
      #expect(try FixtureTests.bytes(entry, checkpoint) == [UInt8](repeating: 7, count: 24))
    }
  }

  /// A pickle that would write a file, run commands or delete something if any of it were carried out.
  @Test func nothingIsRun() throws {
    let folder = TemporaryFolder()
    let canary = folder["canary"]
    let calls: [[UInt8]] = [
      Py.call(Py.global("os", "system"), [Py.text("touch \(canary)")]),
      Py.call(Py.global("posix", "system"), [Py.text("touch \(canary)")]),
      Py.call(Py.global("subprocess", "getoutput"), [Py.text("touch \(canary)")]),
      Py.call(Py.global("builtins", "exec"), [Py.text("open('\(canary)', 'w')")]),
      Py.call(Py.global("builtins", "open"), [Py.text(canary), Py.text("w")]),
      Array("(S'touch \(canary)'\nios\nsystem\n".utf8),
      Py.text("os") + Py.text("system") + [0x93] + Py.tuple([Py.text("touch \(canary)")]) + [0x52],
    ]
    for (number, call) in calls.enumerated() {
      for (form, bytes) in [("zip", Self.zip(call)), ("legacy", Self.legacy(root: call))] {
        do {
          _ = try Checkpoint(path: folder.write(bytes, to: "\(number)-\(form).bin"))
          Issue.record("\(number) was accepted")
        } catch CheckpointError.torch(_, .pickle(.globalRefused)) {} catch { Issue.record("\(number): \(error)") }
      }
    }
    #expect(!FileManager.default.fileExists(atPath: canary))
  }

  @Test func mutantsEndInAnErrorOrACheckpoint() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(5)
    for whole in [Self.one(Py.tensor()), Self.legacy()] {
      for _ in 0..<1500 {
        let path = folder.write(generator.mutant(of: whole), to: "m")
        guard let checkpoint = try? Checkpoint(path: path) else { continue }
        for entry in checkpoint.entries where entry.info.byteCount < 1 << 20 {
          _ = try? FixtureTests.bytes(entry, checkpoint)
        }
      }
    }
  }
}

import PickleFiles
import Tensors
import ZipFiles

/// A file that torch.save wrote, in either form: its pickle, and where its storages lie.
struct TorchFile {
  let file: ReadableFile
  let document: PickleDocument
  private let places: StoragePlaces

  /// A file of the zip form.
  init(_ file: ReadableFile, archive: ZipArchive) throws(TorchError) {
    self.file = file
    (document, places) = try Self.openZip(archive, file)
  }

  /// A file of the form before zip.
  init(legacy file: ReadableFile) throws(TorchError) {
    self.file = file
    (document, places) = try Self.openLegacy(file)
  }

  /// The weights, with a note about what stands beside them.
  func state(
    _ place: (folder: String, fileIndex: Int)
  ) throws(TorchError) -> (entries: [Checkpoint.Entry], notes: [String]) {
    let state = try TorchState(document)
    guard !state.tensors.isEmpty else {
      throw .noTensors(found: document.isEmpty ? "nothing" : state.arrays.isEmpty ? "other values" : "NumPy arrays")
    }
    var notes: [String] = []
    if let first = state.arrays.first {
      let others = state.arrays.count > 1 ? " and \(state.arrays.count - 1) more are NumPy arrays" : " is a NumPy array"
      notes.append("'\(first)'\(others) in a pickle, not read: not in the result")
    }
    if let first = state.passedOver.first {
      let others = state.passedOver.count > 1 ? " and \(state.passedOver.count - 1) more keys" : ""
      notes.append("passed over '\(first)'\(others) beside the weights")
    }
    return (try entries(of: state.tensors, folder: place.folder, fileIndex: place.fileIndex), notes)
  }

  /// A file of either form.
  init(path: String) throws(TorchError) {
    do {
      let file = try ReadableFile(path: path)
      let kind = try FileKind(of: file)
      switch kind {
      case .zip: try self.init(file, archive: try ZipArchive(file))
      case .pickle: try self.init(legacy: file)
      default: throw TorchError.notTorch(looksLike: kind.words.looksLike, hint: kind.words.hint)
      }
    } catch { throw TorchError(error) }
  }

  /// Where a tensor's first element lies in the file.
  func place(of tensor: TorchTensor) throws(TorchError) -> Int {
    let start = try start(of: tensor)
    // An empty tensor's offset means nothing and has not been checked.
    return tensor.info.elementCount == 0 ? start : start + tensor.offset * (tensor.info.dtype.bitWidth / 8)
  }

  /// Where a tensor's storage starts in the file.
  private func start(of tensor: TorchTensor) throws(TorchError) -> Int {
    let storage = tensor.storage
    guard let place = places.places[storage.key] else { throw .storageMissing(key: storage.key) }
    guard let needed = storage.byteCount, needed <= place.byteCount else {
      throw .storageTooShort(key: storage.key, expected: storage.byteCount ?? .max, found: place.byteCount)
    }
    return place.offset + storage.viewOffset * storage.width
  }

  /// The entries of tensors of this file, in the pickle's order.
  func entries(of tensors: [TorchTensor], folder: String, fileIndex: Int) throws(TorchError) -> [Checkpoint.Entry] {
    var entries: [Checkpoint.Entry] = []
    entries.reserveCapacity(tensors.count)
    for tensor in tensors {
      let (storage, offset) = (try start(of: tensor), try place(of: tensor))
      var content = Checkpoint.Content.plain
      if !tensor.strides.isContiguous {
        content = .decoded(
          StridedView(file, start: offset, strides: tensor.strides, width: tensor.info.dtype.bitWidth / 8))
      }
      let view = StoredView(
        dtype: tensor.info.dtype, strides: tensor.strides, storageOffset: tensor.offset,
        storage: storage..<storage + tensor.storage.count * tensor.storage.width)
      let entry = Checkpoint.Entry(
        info: tensor.info, folder: folder, fileIndex: fileIndex, offset: offset, content: content)
      entries.append(entry.stored(as: .view(view)))
    }
    return entries
  }

  // MARK: Zip

  /// Source: PyTorch, `caffe2/serialize/inline_container.cc` and `torch/serialization.py`.
  private static func openZip(
    _ archive: ZipArchive, _ file: ReadableFile
  ) throws(TorchError) -> (PickleDocument, StoragePlaces) {
    func ends(_ name: [UInt8], _ suffix: String) -> Bool { name.reversed().starts(with: suffix.utf8.reversed()) }
    guard let pickle = archive.entries.first(where: { ends(archive.name(of: $0), "/data.pkl") }) else {
      throw .noPickle
    }
    let root = Array(archive.name(of: pickle).dropLast("data.pkl".utf8.count))
    guard !root.dropLast().contains(UInt8(ascii: "/")) else { throw .noPickle }
    if archive.entry(named: root + Array("constants.pkl".utf8)) != nil { throw .torchScript }
    let document: PickleDocument
    do {
      if let order = archive.entry(named: root + Array("byteorder".utf8)) {
        guard try archive.contents(order, limit: 64) == Array("little".utf8) else { throw TorchError.bigEndian }
      }
      guard pickle.isStored else { throw TorchError.pickleCompressed }
      guard pickle.byteCount <= Limits.pickleByteCount else {
        throw PickleError.tooLarge(byteCount: pickle.byteCount)
      }
      let mapping = try file.mapped()
      let bytes = PickleBytes(mapping, offset: pickle.offset, count: pickle.byteCount)
      try archive.check(pickle, bytes.buffer)
      document = try PickleDocument(bytes, allows: TorchGlobals.allows)
      try document.checkEnd()
      try Self.checkWhole(mapping, file)
    } catch { throw TorchError(error) }
    var places = StoragePlaces()
    let prefix = root + Array("data/".utf8)
    for entry in archive.entries {
      let name = archive.name(of: entry)
      guard name.starts(with: prefix) else { continue }
      let key = Array(name.dropFirst(prefix.count))
      guard entry.isStored else { throw .storageCompressed(key: key) }
      try places.add(key, offset: entry.offset, byteCount: entry.byteCount)
    }
    return (document, places)
  }

  // MARK: The form before zip

  /// Source: PyTorch, `torch/serialization.py`, `_legacy_save`: five pickles, then the storages in the order of the
  /// fifth, each a 64-bit count and its elements.
  private static func openLegacy(_ file: ReadableFile) throws(TorchError) -> (PickleDocument, StoragePlaces) {
    do {
      let mapping = try file.mapped()
      let bytes = PickleBytes(mapping)
      var position = 0
      /// The next pickle. Together they take no more memory than one may.
      func next(_ valueByteCount: Int) throws(PickleError) -> PickleDocument {
        let document = try PickleDocument(
          bytes, offset: position, valueByteCount: valueByteCount, allows: TorchGlobals.allows)
        position = document.endOffset
        return document
      }
      let magic = try next(1 << 16)
      guard case .bigInteger(let number) = magic.root,
        magic.bytes(number) == [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
      else { throw TorchError.badLegacyHeader }
      guard try next(1 << 16).root == .int(1001) else { throw TorchError.badLegacyHeader }
      let system = try next(1 << 16)
      if TorchState.value(of: "little_endian", in: system.root, system) == .bool(false) { throw TorchError.bigEndian }
      let document = try next(Limits.pickleValueByteCount * 3 / 4)
      let keys = try next(Limits.pickleValueByteCount / 4)
      guard let list = keys.sequence(keys.root) else { throw TorchError.badLegacyKeys }
      let widths = try StoragePlaces.widths(in: document)
      var places = StoragePlaces()
      for item in list {
        guard let key = keys.text(item) else { throw TorchError.badLegacyKeys }
        guard let width = widths[key] else { throw TorchError.storageUnnamed(key: key) }
        guard position <= file.byteCount - 8 else {
          throw TorchError.storageTooShort(key: key, expected: 8, found: file.byteCount - position)
        }
        let stated = mapping.bytes(at: position, count: 8).loadUnaligned(as: UInt64.self)
        let (size, overflow) = UInt64(littleEndian: stated).multipliedReportingOverflow(by: UInt64(width))
        position += 8
        guard !overflow, size <= UInt64(file.byteCount - position) else {
          throw TorchError.storageTooShort(key: key, expected: Int(clamping: size), found: file.byteCount - position)
        }
        try places.add(key, offset: position, byteCount: Int(size))
        position += Int(size)
      }
      guard position == file.byteCount else { throw TorchError.trailingBytes(count: file.byteCount - position) }
      try checkWhole(mapping, file)
      return (document, places)
    } catch { throw TorchError(error) }
  }
}

extension TorchFile {
  /// Zeros stand in a mapping where the file has lost its bytes.
  private static func checkWhole(_ mapping: MappedFile, _ file: ReadableFile) throws(FileError) {
    guard !mapping.isTorn else { throw .shrank(path: file.path, offset: 0, expectedByteCount: file.byteCount) }
  }
}

/// Where the storages of a file lie, by key.
struct StoragePlaces {
  private(set) var places: [[UInt8]: (offset: Int, byteCount: Int)] = [:]

  mutating func add(_ key: [UInt8], offset: Int, byteCount: Int) throws(TorchError) {
    guard places.updateValue((offset, byteCount), forKey: key) == nil else { throw .storageTwice(key: key) }
  }

  /// Bytes of an element of each storage that a pickle names.
  static func widths(in document: PickleDocument) throws(TorchError) -> [[UInt8]: Int] {
    var widths: [[UInt8]: Int] = [:]
    for value in document.persistentValues {
      let storage = try TorchStorage(value, in: document)
      if let known = widths.updateValue(storage.width, forKey: storage.key), known != storage.width {
        throw .storageTypes(key: storage.key)
      }
    }
    return widths
  }
}

extension TorchError {
  /// An error of a layer below as one of this.
  init(_ error: any Error) {
    switch error {
    case let error as TorchError: self = error
    case let error as ZipError: self = .zip(error)
    case let error as PickleError: self = .pickle(error)
    case let error as FileError: self = .file(error)
    default: self = .badLegacyHeader
    }
  }
}

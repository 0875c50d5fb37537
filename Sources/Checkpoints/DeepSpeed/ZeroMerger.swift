import Pickle
import Tensors

/// Puts the parameters of a ZeRO stage 3 run together from the parts that the processes hold.
///
/// Source: DeepSpeed, `utils/zero_to_fp32.py`. Each process has `ceil(n / processes)` elements of a parameter of `n`, all
/// parameters one after another in its groups; buffers stand whole in the first process's file.
struct ZeroMerger {
  let folder: String
  let firstFile: Int
  var models: [DeepSpeedFile] = []
  var optimizers: [DeepSpeedFile] = []

  init(folder: String, firstFile: Int) {
    self.folder = folder
    self.firstFile = firstFile
  }

  func merged() throws(DeepSpeedError) -> [Checkpoint.Entry] {
    // First what tells whether all processes are there.
    let trained = try trained()
    var entries = try buffers() + frozen()
    entries += trained
    let taken = Dictionary(entries.map { ($0.info.name, $0) }) { first, _ in first }
    for (name, source) in try shared() {
      guard let origin = taken[source], taken[name] == nil,
        let info = TensorInfo(name: name, dtype: origin.info.dtype, shape: origin.info.shape)
      else { continue }
      entries.append(
        Checkpoint.Entry(
          info: info, folder: folder, fileIndex: origin.fileIndex, offset: origin.offset, content: origin.content))
    }
    return entries
  }

  private func value(_ key: String, _ file: DeepSpeedFile) throws(DeepSpeedError) -> PickleValue {
    guard let value = TorchState.value(of: key, in: file.torch.document.root, file.torch.document) else {
      throw .notState(file: file.name, key: key)
    }
    return value
  }

  // MARK: What each list says

  private func buffers() throws(DeepSpeedError) -> [Checkpoint.Entry] {
    let file = models[0]
    let names = try value("buffer_names", file)
    guard let list = file.torch.document.sequence(names) else { throw .notState(file: file.name, key: "buffer_names") }
    let wanted = Set(list.compactMap(file.torch.document.text).map { TensorName(utf8: $0) })
    return try file.perform { (torch) throws(TorchError) in
      let tensors = try TorchState(torch.document, key: "module").tensors.filter { wanted.contains($0.info.name) }
      return try torch.entries(of: tensors, folder: folder, fileIndex: firstFile)
    }
  }

  private func shared() throws(DeepSpeedError) -> [(name: TensorName, source: TensorName)] {
    let (file, document) = (models[0], models[0].torch.document)
    guard let pairs = document.pairs(try value("shared_params", file)) else { return [] }
    return pairs.compactMap { pair in
      guard let name = document.text(pair.key), let source = document.text(pair.value) else { return nil }
      return (TensorName(utf8: name), TensorName(utf8: source))
    }
  }

  /// Names and shapes of a dict, in its order.
  private func shapes(
    _ value: PickleValue, _ document: PickleDocument
  ) throws(DeepSpeedError) -> [TensorInfo]? {
    guard let pairs = document.pairs(value) else { return nil }
    var shapes: [TensorInfo] = []
    for pair in pairs {
      guard let utf8 = document.text(pair.key), !utf8.isEmpty, utf8.count <= Limits.nameByteCount else { return nil }
      let name = TensorName(utf8: utf8)
      guard let sizes = TorchTensor.sizes(pair.value, document), sizes.count <= Limits.rank,
        let info = TensorInfo(name: name, dtype: .f32, shape: sizes)
      else { throw .badShape(name: name) }
      shapes.append(info)
    }
    return shapes
  }

  // MARK: Parts

  /// The parts of one process in the order of its groups: where each vector lies.
  private struct Group: Equatable {
    let offset: Int
    let count: Int
  }

  private func groups(_ file: DeepSpeedFile) throws(DeepSpeedError) -> [Group] {
    let document = file.torch.document
    let state = try value("optimizer_state_dict", file)
    func member(_ key: String) throws(DeepSpeedError) -> PickleValue {
      guard let value = TorchState.value(of: key, in: state, document) else {
        throw .notState(file: file.name, key: key)
      }
      return value
    }
    let stage = Self.number(try member("zero_stage"), document)
    guard stage == 3 else { throw .stage(file: file.name, found: stage ?? -1) }
    let count = Self.number(try member("partition_count"), document)
    guard count == optimizers.count else {
      throw .ranks(file: file.name, expected: count ?? -1, found: optimizers.count)
    }
    guard let list = document.sequence(try member("fp32_flat_groups")) else { throw .badGroups(file: file.name) }
    var groups: [Group] = []
    for item in list {
      let place = try file.perform { (torch) throws(TorchError) -> (offset: Int, info: TensorInfo)? in
        guard let tensor = try TorchTensor(item, name: "fp32_flat_groups", in: document), tensor.isContiguous else {
          return nil
        }
        return (try torch.place(of: tensor), tensor.info)
      }
      guard let place, place.info.dtype == .f32, place.info.shape.count == 1 else { throw .badGroups(file: file.name) }
      groups.append(Group(offset: place.offset, count: place.info.elementCount))
    }
    return groups
  }

  /// A whole number, or an enumeration's member made of one. Of several, the greatest, as DeepSpeed takes it.
  private static func number(_ value: PickleValue, _ document: PickleDocument) -> Int? {
    if case .int(let number) = value { return number }
    let items = document.call(value)?.arguments ?? document.sequence(value) ?? []
    return items.compactMap { item in if case .int(let number) = item { number } else { nil } }.max()
  }

  private func trained() throws(DeepSpeedError) -> [Checkpoint.Entry] {
    let (first, document) = (models[0], models[0].torch.document)
    var wanted: [TensorInfo] = []
    guard let dicts = document.sequence(try value("param_shapes", first)) else {
      throw .notState(file: first.name, key: "param_shapes")
    }
    for dict in dicts {
      guard let shapes = try shapes(dict, document) else { throw .notState(file: first.name, key: "param_shapes") }
      wanted += shapes
    }
    var ranks: [[Group]] = []
    for file in optimizers {
      let groups = try groups(file)
      if let known = ranks.first, known.map(\.count) != groups.map(\.count) { throw .groupsDiffer(file: file.name) }
      ranks.append(groups)
    }
    let available = ranks[0].reduce(0) { $0 + $1.count }
    var position = 0
    var entries: [Checkpoint.Entry] = []
    for info in wanted {
      let part = Self.partCount(info.elementCount, ranks.count)
      guard part <= available - position else { throw .leftOver(expected: position + part, found: available) }
      var pieces: [JoinedBytes.Piece] = []
      for (rank, groups) in ranks.enumerated() {
        pieces += Self.pieces(position..<position + part, of: groups).map {
          JoinedBytes.Piece(source: optimizers[rank].torch.file, offset: $0.offset, byteCount: $0.count * 4)
        }
      }
      position += part
      entries.append(entry(info, pieces, fileIndex: firstFile + models.count))
    }
    guard position == available else { throw .leftOver(expected: position, found: available) }
    return entries
  }

  private static func partCount(_ count: Int, _ ranks: Int) -> Int { count / ranks + (count % ranks == 0 ? 0 : 1) }

  /// A range of a process's elements as runs in its groups.
  private static func pieces(_ range: Range<Int>, of groups: [Group]) -> [Group] {
    var pieces: [Group] = []
    var start = 0
    for group in groups {
      let inside = range.clamped(to: start..<start + group.count)
      if !inside.isEmpty {
        pieces.append(Group(offset: group.offset + (inside.lowerBound - start) * 4, count: inside.count))
      }
      start += group.count
    }
    return pieces
  }

  /// Parameters that were not trained: whole parts, each in the file of its process.
  private func frozen() throws(DeepSpeedError) -> [Checkpoint.Entry] {
    let (first, document) = (models[0], models[0].torch.document)
    guard let list = TorchState.value(of: "frozen_param_shapes", in: document.root, document), list != .none,
      let wanted = try shapes(list, document)
    else { return [] }
    var entries: [Checkpoint.Entry] = []
    for info in wanted {
      let part = Self.partCount(info.elementCount, models.count)
      var pieces: [JoinedBytes.Piece] = []
      var dtype: DType?
      for file in models {
        let document = file.torch.document
        let fragment = TorchState.value(of: "frozen_param_fragments", in: document.root, document)
          .flatMap { TorchState.value(of: info.name.text, in: $0, document) }
        let found = try file.perform { (torch) throws(TorchError) -> (offset: Int, info: TensorInfo)? in
          guard let fragment, let tensor = try TorchTensor(fragment, name: info.name, in: document),
            tensor.isContiguous
          else { return nil }
          return (try torch.place(of: tensor), tensor.info)
        }
        guard let found, found.info.elementCount == part, dtype == nil || dtype == found.info.dtype else {
          throw .fragmentMissing(name: info.name, file: file.name)
        }
        dtype = found.info.dtype
        pieces.append(.init(source: file.torch.file, offset: found.offset, byteCount: found.info.byteCount))
      }
      guard let dtype, let typed = TensorInfo(name: info.name, dtype: dtype, shape: info.shape) else {
        throw .notState(file: first.name, key: "frozen_param_shapes")
      }
      entries.append(entry(typed, pieces, fileIndex: firstFile))
    }
    return entries
  }

  private func entry(_ info: TensorInfo, _ pieces: [JoinedBytes.Piece], fileIndex: Int) -> Checkpoint.Entry {
    Checkpoint.Entry(
      info: info, folder: folder, fileIndex: fileIndex, offset: pieces.first?.offset ?? 0,
      content: .decoded(JoinedBytes(encoding: "partitions", pieces: pieces)))
  }
}

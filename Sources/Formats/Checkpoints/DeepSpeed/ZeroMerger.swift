import Encodings
import PickleFiles
import Tensors

/// Puts the parameters of a ZeRO stage 3 run together from the parts that the processes hold.
///
/// Source: DeepSpeed, `utils/zero_to_fp32.py`. Each process has `ceil(n / processes)` elements of a parameter of `n`, all
/// parameters one after another in its groups; buffers stand whole in the first process's file. As there, buffers of 16 bits
/// become f32.
struct ZeroMerger {
  let path: String
  let folder: String
  let firstFile: Int
  let models: [String]
  let optimizers: [String]
  private(set) var files: [Checkpoint.File] = []

  init(path: String, folder: String, firstFile: Int, models: [String], optimizers: [String]) {
    self.path = path
    self.folder = folder
    self.firstFile = firstFile
    self.models = models
    self.optimizers = optimizers
  }

  /// What the first process's file says of all.
  private struct Plan {
    var buffers: [Checkpoint.Entry] = []
    var trained: [TensorInfo] = []
    var frozen: [TensorInfo] = []
    var shared: [(name: TensorName, source: TensorName)] = []
  }

  /// A run of f32 in a process's file.
  private struct Group: Equatable {
    let offset: Int
    let count: Int
  }

  mutating func merged() throws(DeepSpeedError) -> [Checkpoint.Entry] {
    var plan = Plan()
    var fragments: [[TensorName: (info: TensorInfo, offset: Int)]] = []
    // Each file's pickle is kept no longer than it is needed.
    for (rank, name) in models.enumerated() {
      let file = try open(name)
      if rank == 0 { plan = try self.plan(file) }
      fragments.append(plan.frozen.isEmpty ? [:] : try Self.fragments(file))
    }
    var ranks: [[Group]] = []
    for name in optimizers {
      let file = try open(name)
      let groups = try groups(file)
      if let known = ranks.first, known.map(\.count) != groups.map(\.count) { throw .groupsDiffer(file: name) }
      ranks.append(groups)
    }
    var entries = plan.buffers
    for info in plan.frozen { entries.append(try frozen(info, fragments)) }
    entries += try trained(plan.trained, ranks)
    let known = Dictionary(entries.map { ($0.info.name, $0) }) { first, _ in first }
    for (name, source) in plan.shared {
      guard known[name] == nil, let shared = known[source]?.renamed(name) else { continue }
      entries.append(shared)
    }
    return entries
  }

  private mutating func open(_ name: String) throws(DeepSpeedError) -> DeepSpeedFile {
    let file = try DeepSpeedFile(path: path, name: name)
    files.append(file.listed(in: folder, as: "DeepSpeed ZeRO 3 state"))
    return file
  }

  // MARK: The first process's lists

  private func plan(_ file: DeepSpeedFile) throws(DeepSpeedError) -> Plan {
    let document = file.torch.document
    var plan = Plan()
    guard let dicts = document.sequence(try file.value("param_shapes")) else {
      throw .notState(file: file.name, key: "param_shapes")
    }
    for dict in dicts { plan.trained += try shapes(dict, "param_shapes", file) }
    if let list = TorchState.value(of: "frozen_param_shapes", in: document.root, document), list != .none {
      plan.frozen = try shapes(list, "frozen_param_shapes", file)
    }
    for pair in document.mapping(try file.value("shared_params")) ?? [] {
      guard let name = document.text(pair.key), let source = document.text(pair.value) else { continue }
      plan.shared.append((TensorName(utf8: name), TensorName(utf8: source)))
    }
    plan.buffers = try buffers(file)
    return plan
  }

  private func buffers(_ file: DeepSpeedFile) throws(DeepSpeedError) -> [Checkpoint.Entry] {
    guard let list = file.torch.document.sequence(try file.value("buffer_names")) else {
      throw .notState(file: file.name, key: "buffer_names")
    }
    let wanted = Set(list.compactMap(file.torch.document.text).map { TensorName(utf8: $0) })
    let entries = try file.perform { (torch) throws(TorchError) in
      let tensors = try TorchState(torch.document, key: "module").tensors.filter { wanted.contains($0.info.name) }
      return try torch.entries(of: tensors, folder: folder, fileIndex: firstFile)
    }
    return entries.map { entry in
      guard case .plain = entry.content, entry.info.dtype == .f16 || entry.info.dtype == .bf16,
        let info = TensorInfo(name: entry.info.name, dtype: .f32, shape: entry.info.shape)
      else { return entry }
      let plane = Plane(
        source: file.torch.file, offset: entry.offset, dtype: entry.info.dtype, shape: entry.info.shape)
      return Checkpoint.Entry(
        info: info, folder: folder, fileIndex: firstFile, offset: entry.offset, content: .decoded(WidenedTensor(plane)),
        stored: entry.stored)
    }
  }

  /// Names and shapes of a dict, in its order.
  private func shapes(
    _ value: PickleValue, _ key: String, _ file: DeepSpeedFile
  ) throws(DeepSpeedError) -> [TensorInfo] {
    let document = file.torch.document
    guard let pairs = document.mapping(value) else { throw .notState(file: file.name, key: key) }
    var shapes: [TensorInfo] = []
    for pair in pairs {
      guard let utf8 = document.text(pair.key), !utf8.isEmpty, utf8.count <= Limits.nameByteCount,
        String(validating: utf8, as: UTF8.self) != nil
      else { throw .notState(file: file.name, key: key) }
      let name = TensorName(utf8: utf8)
      guard let sizes = TorchTensor.sizes(pair.value, document), sizes.count <= Limits.rank,
        let info = TensorInfo(name: name, dtype: .f32, shape: sizes)
      else { throw .badShape(name: name) }
      shapes.append(info)
    }
    return shapes
  }

  // MARK: Trained parameters

  private func groups(_ file: DeepSpeedFile) throws(DeepSpeedError) -> [Group] {
    let document = file.torch.document
    let state = try file.value("optimizer_state_dict")
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
      let place = try file.plainTensor(item, name: "fp32_flat_groups")
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

  private func trained(_ wanted: [TensorInfo], _ ranks: [[Group]]) throws(DeepSpeedError) -> [Checkpoint.Entry] {
    var available = 0
    for group in ranks.first ?? [] {
      let (sum, overflow) = available.addingReportingOverflow(group.count)
      guard !overflow else { throw .badGroups(file: optimizers[0]) }
      available = sum
    }
    var position = 0
    // The group that holds the position, and where it starts: the same in all processes.
    var (group, start) = (0, 0)
    var entries: [Checkpoint.Entry] = []
    for info in wanted {
      let part = Self.partCount(info.elementCount, ranks.count)
      guard part <= available - position else {
        throw .leftOver(expected: position.addingReportingOverflow(part).partialValue, found: available)
      }
      while group < ranks[0].count, start + ranks[0][group].count <= position {
        start += ranks[0][group].count
        group += 1
      }
      var pieces: [Piece] = []
      for (rank, groups) in ranks.enumerated() {
        for run in Self.runs(position..<position + part, in: groups[group...], from: start) {
          pieces.append(Piece(file: models.count + rank, offset: run.offset, count: run.count))
        }
      }
      position += part
      entries.append(entry(info, pieces, file: models.count))
    }
    guard position == available else { throw .leftOver(expected: position, found: available) }
    return entries
  }

  private static func partCount(_ count: Int, _ ranks: Int) -> Int { count / ranks + (count % ranks == 0 ? 0 : 1) }

  /// A range of a process's elements as runs in its groups, of which the first starts at element `start`.
  private static func runs(_ range: Range<Int>, in groups: ArraySlice<Group>, from start: Int) -> [Group] {
    var runs: [Group] = []
    var start = start
    for group in groups {
      guard start < range.upperBound else { break }
      let inside = range.clamped(to: start..<start + group.count)
      if !inside.isEmpty {
        runs.append(Group(offset: group.offset + (inside.lowerBound - start) * 4, count: inside.count))
      }
      start += group.count
    }
    return runs
  }

  // MARK: Frozen parameters

  /// The fragments of the frozen parameters in one process's file.
  private static func fragments(
    _ file: DeepSpeedFile
  ) throws(DeepSpeedError) -> [TensorName: (info: TensorInfo, offset: Int)] {
    let document = file.torch.document
    guard let value = TorchState.value(of: "frozen_param_fragments", in: document.root, document) else { return [:] }
    var fragments: [TensorName: (info: TensorInfo, offset: Int)] = [:]
    for pair in document.mapping(value) ?? [] {
      guard let utf8 = document.text(pair.key) else { continue }
      let name = TensorName(utf8: utf8)
      fragments[name] = try file.plainTensor(pair.value, name: name)
    }
    return fragments
  }

  /// A parameter that was not trained: whole parts, each in the file of its process.
  private func frozen(
    _ info: TensorInfo, _ fragments: [[TensorName: (info: TensorInfo, offset: Int)]]
  ) throws(DeepSpeedError) -> Checkpoint.Entry {
    let part = Self.partCount(info.elementCount, models.count)
    var pieces: [Piece] = []
    for (rank, known) in fragments.enumerated() {
      guard let fragment = known[info.name], fragment.info.elementCount == part,
        fragment.info.dtype == fragments[0][info.name]?.info.dtype
      else { throw .fragmentMissing(name: info.name, file: models[rank]) }
      pieces.append(Piece(file: rank, offset: fragment.offset, count: part))
    }
    guard let dtype = fragments.first?[info.name]?.info.dtype,
      let typed = TensorInfo(name: info.name, dtype: dtype, shape: info.shape)
    else { throw .badShape(name: info.name) }
    return entry(typed, pieces, file: 0)
  }

  /// Elements of a parameter in one of ``files``.
  private struct Piece {
    let file: Int
    let offset: Int
    let count: Int
  }

  /// - Parameter file: the one of ``files`` that the tensor is listed under.
  private func entry(_ info: TensorInfo, _ pieces: [Piece], file: Int) -> Checkpoint.Entry {
    let width = info.dtype.bitWidth / 8
    let joined = pieces.map {
      JoinedBytes.Piece(source: files[$0.file].source, offset: $0.offset, byteCount: $0.count * width)
    }
    let stored = pieces.map {
      Checkpoint.StoredRun(
        name: info.name, fileIndex: firstFile + $0.file, offset: $0.offset, byteCount: $0.count * width,
        form: .plain(info.dtype, shape: [$0.count]))
    }
    return Checkpoint.Entry(
      info: info, folder: folder, fileIndex: firstFile + file, offset: pieces.first?.offset ?? 0,
      content: .decoded(JoinedBytes(encodingName: "partitions", pieces: joined)), stored: stored)
  }
}

/// A tensor of 16 bits as f32.
private struct WidenedTensor: StoredFloats {
  private let plane: Plane

  init(_ plane: Plane) { self.plane = plane }

  var encodingName: String { plane.dtype.name }
  var storedByteCount: Int { plane.elementCount * 2 }

  func decode(from first: Int, into out: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    _ = out.update(fromContentsOf: try plane.floats(at: first, count: out.count))
  }
}

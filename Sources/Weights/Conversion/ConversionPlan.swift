import BantamArchive
import Encodings
import InputStatistics
import JSONText
import Kernels
import ModelSources
import Quantization
import Tensors
import Tokenization

/// What to convert, and how.
public struct ConversionOptions: Sendable {
  /// Names of components; nil for the family's defaults, `["all"]` for all.
  public var components: [String]?
  /// Cast f32, f16 and bf16 tensors to this type; nil keeps every dtype. Other dtypes are always kept.
  public var dtype: DType?
  /// Family name; nil finds it by config.json and the tensors.
  public var family: String?
  /// Which tensors are quantized; nil for none.
  public var recipe: QuantizationRecipe?
  /// Whether tensors that are quantized already may be quantized again.
  public var allowsRequantizing = false
  /// What runs say of the inputs of matrices; nil: weights alone decide.
  public var statistics: StatisticsFile?
  /// Where tensors are kept that data has guided, until the output is whole; those that are there are taken from it.
  public var solved: SolvedTensors?
  /// Layout of the planes for a matrix of a given element width; nil is row-major.
  public var layout: (@Sendable (TensorInfo) -> TileLayout?)?
  public var resources: Resources

  public init(
    components: [String]? = nil, dtype: DType? = nil, family: String? = nil, recipe: QuantizationRecipe? = nil,
    resources: Resources = Resources()
  ) {
    self.recipe = recipe
    self.components = components
    self.dtype = dtype
    self.family = family
    self.resources = resources
  }
}

/// A conversion that is worked out but not begun: what is read, how each tensor is stored, the exact size of the output.
public struct ConversionPlan: Sendable {
  public let source: ModelSource
  public let map: ModelMap
  /// Threads, memory and progress; may be changed before the plan is carried out.
  public var resources: Resources
  /// What the user should know before the work.
  public let notes: [String]
  /// Components of the source that are left out.
  public let leftOut: [ModelMap.Component]
  public let archive: ArchivePlan
  /// For each tensor of the archive, its number in the source.
  let sourceNumbers: [Int]
  /// How each tensor is quantized, nil where it is not.
  let encodings: [(any Encoding)?]
  let statistics: StatisticsFile?
  let solved: SolvedTensors?
  /// Bytes of payload that are read.
  public let inputByteCount: Int

  /// Exact size of the output in bytes.
  public var outputByteCount: Int { archive.fileByteCount }
  /// Anonymous memory at the peak, in bytes: buffers, tables and the program itself.
  public var peakMemoryByteCount: Int {
    resources.bufferByteCount + resources.threadCount * stripeByteCount + 8 * archive.tableByteCount
      + archive.carriedByteCount + 24 << 20
  }

  /// Bytes that a thread needs to quantize the widest tensor.
  private var stripeByteCount: Int {
    encodings.indices.reduce(0) { most, item in
      guard let encoding = encodings[item], let shape = encoding.shape(forWriting: archive.index.tensors[item].info)
      else { return most }
      let dtype = source.tensors[sourceNumbers[item]].info.dtype
      let window = StripeWindow(dtype: dtype, encoding, shape, needsWholeRows: statistics != nil)
      let name = archive.index.tensors[item].info.name.text
      return max(most, window.byteCount + (statistics?.guideByteCount(name, rows: encoding.grain.rows) ?? 0))
    }
  }

  /// - Throws: ``FamilyError``, ``ConversionError``, or what reading the headers throws.
  public init(source: ModelSource, options: ConversionOptions) throws {
    try options.resources.checkMemory()
    let map = try ModelMap(source, family: options.family)
    let components = try map.selected(options.components, path: source.path)
    guard components.contains(where: { !$0.tensors.isEmpty }) else {
      throw ConversionError.nothingToConvert(path: source.path)
    }
    var planner = TensorPlanner(source: source, options: options)
    var resolver = options.recipe.map { StorageResolver(recipe: $0, policy: map.quantization) }
    let planned = try components.map { component in
      (
        name: component.name,
        tensors: try component.tensors.map { tensor in
          let encoding = resolver?.encoding(
            tensor, component: component.name, info: source.tensors[tensor.number].info)
          return try planner.plan(tensor, encoding: encoding ?? nil)
        }
      )
    }
    try resolver?.finish()
    if let first = planner.requantized.first, !options.allowsRequantizing {
      throw RecipeError.requantizes(
        count: planner.requantized.count, first: first.name.text, from: source.tensors[first.number].encoding)
    }
    var blobs: [(name: String, bytes: [UInt8])] = []
    var notes = map.notes
    notes += try CompanionFile.visit(source, map) { blobs.append(($0, $1)) }
    if let note = planner.growthNote { notes.append(note) }
    notes += resolver?.notes ?? []
    self.notes = notes
    // A tokenizer of another kind is carried as its files only.
    let carried = blobs
    if let tokenizer = try? Tokenizer(files: { name in carried.first { $0.name == name }?.bytes }) {
      blobs.append((Tokenizer.tableName, tokenizer.table))
    }
    if let statistics = options.statistics {
      let names = planned.flatMap(\.tensors).map(\.info.name.text)
      guard names.contains(where: statistics.hasSeen) else {
        throw StatisticsError.ofAnotherModel(path: statistics.path)
      }
      for (tensor, encoding) in zip(planned.flatMap(\.tensors), planner.encodings) {
        guard let shape = encoding?.shape(forWriting: tensor.info), let entry = statistics.entry(tensor.info.name.text)
        else { continue }
        try statistics.check(entry, shape)
      }
    }
    let leftOut = map.components.filter { component in !components.contains { $0.name == component.name } }
    archive = ArchivePlan(
      components: planned, sourceFiles: planner.files, blobs: blobs,
      metadata: Self.metadata(map: map, leftOut: leftOut, options: options))
    guard archive.tableByteCount <= Limits.archiveIndexByteCount else {
      throw ConversionError.tooManyTensors(path: source.path)
    }
    self.source = source
    self.map = map
    resources = options.resources
    self.leftOut = leftOut
    statistics = options.statistics
    solved = options.solved
    sourceNumbers = planner.numbers
    encodings = planner.encodings
    inputByteCount = planner.inputByteCount
  }

  /// What a tensor that is decoded here had lost before: its record goes along.
  func decodedQuality(_ item: Int) -> ArchiveIndex.Quality? {
    guard var quality = archive.index.tensors[item].quality, let from = source.archive else { return nil }
    let number = sourceNumbers[item]
    guard let before = from.index.tensors[from.index.tensors[number].aliasOf ?? number].quality else { return nil }
    let method = quality.method
    quality = before
    quality.method = method
    return quality
  }

  private static func metadata(
    map: ModelMap, leftOut: [ModelMap.Component], options: ConversionOptions
  ) -> JSONValue {
    .members([
      "writer": .string("bantam \(bantamVersion)"),
      "family": .string(map.family),
      "release": map.release.map { .string($0) } ?? .null,
      "dtype": .string(options.dtype?.name ?? "keep"),
      "recipe": options.recipe?.json ?? .null,
      "left_out": .array(leftOut.map { .string($0.name) }),
    ])
  }
}

/// Works out how each tensor is stored, and which repeat another.
private struct TensorPlanner {
  let source: ModelSource
  let options: ConversionOptions
  var files: [ArchiveIndex.SourceFile] = []
  var numbers: [Int] = []
  var encodings: [(any Encoding)?] = []
  var inputByteCount = 0
  /// Tensors that are quantized, and were before.
  var requantized: [(name: TensorName, number: Int)] = []
  /// Tensors that were quantized and will not be: how many, their bytes before and after.
  private var decoded = (count: 0, before: 0, after: 0)
  private var fileNumbers: [String: Int] = [:]
  private var planned: [TensorName: Int] = [:]

  init(source: ModelSource, options: ConversionOptions) {
    self.source = source
    self.options = options
    files = source.files
    for (number, file) in files.enumerated() { fileNumbers[file.path] = number }
  }

  mutating func plan(_ tensor: ModelMap.Tensor, encoding: (any Encoding)?) throws -> ArchivePlan.Tensor {
    let origin = source.tensors[tensor.number]
    guard tensor.name.utf8.count <= Limits.nameByteCount else {
      throw ConversionError.nameTooLong(name: tensor.name.text)
    }
    try source.checkReadable(tensor.number)
    var dtype = origin.info.dtype
    if encoding != nil {
      dtype = .f32  // what decoding gives
    } else if let target = options.dtype, dtype.isReal, !origin.isPart {
      dtype = target
    }
    guard let info = TensorInfo(name: tensor.name, dtype: dtype, shape: origin.info.shape) else {
      throw ConversionError.cannotCast(name: tensor.name.text, dtype: origin.info.dtype.name)
    }
    let aliasOf = try alias(tensor, encoding: encoding)
    planned[tensor.name] = numbers.count
    numbers.append(tensor.number)
    encodings.append(encoding)
    inputByteCount += origin.info.byteCount
    let wasQuantized = source.isQuantized(tensor.number)
    if wasQuantized, aliasOf == nil {
      if encoding == nil {
        decoded = (decoded.count + 1, decoded.before + origin.storedByteCount, decoded.after + info.byteCount)
      } else {
        requantized.append((tensor.name, tensor.number))
      }
    }
    return ArchivePlan.Tensor(
      info: info, role: tensor.role,
      encoding: encoding.map { .init(name: $0.name, parameters: $0.parameters) } ?? .plain,
      planes: aliasOf == nil ? try planes(info, encoding) : [], aliasOf: aliasOf, source: provenance(tensor.number),
      hasStatistics: ValueStatistics.isSupported(origin.info.dtype),
      method: aliasOf == nil ? method(tensor, encoding) : nil)
  }

  /// What has cost a tensor its exact values, as the file records it. The first encoding is never forgotten.
  private func method(_ tensor: ModelMap.Tensor, _ encoding: (any Encoding)?) -> String? {
    let (name, first) = (tensor.name, source.firstEncoding(tensor.number))
    if let encoding {
      return (encoding.solver?.method ?? encoding.name)
        + (options.statistics?.hasSeen(name.text) == true || options.solved?.isGuided(name.text) == true
          ? ", guided by statistics of its inputs" : "")
        + (first.map { "; of values " + DecodedFrom.text($0) } ?? "")
    }
    return source.archive == nil ? nil : first.map(DecodedFrom.text)
  }

  /// What is said where decoding makes a file larger.
  var growthNote: String? {
    guard decoded.count > 0, decoded.after > decoded.before else { return nil }
    return
      "\(decoded.count) tensor\(decoded.count == 1 ? " is" : "s are") quantized in the source and will be plain numbers: "
      + "\(decoded.before) bytes become \(decoded.after)"
  }

  private func planes(_ info: TensorInfo, _ encoding: (any Encoding)?) throws -> [PlaneShape] {
    let form = encoding ?? PlainEncoding()
    guard let shape = form.shape(forWriting: info), let planes = form.planes(of: shape) else {
      throw ConversionError.cannotCast(name: info.name.text, dtype: form.name)
    }
    guard encoding == nil, let tile = options.layout?(info), tile.fits(info.matrix),
      let byteCount = tile.planeByteCount(info.matrix)
    else { return planes }
    return [PlaneShape(kind: .values, layout: .tiled(tile), byteCount: byteCount)]
  }

  /// Where a tensor came from. A tensor of a `.bantam` file keeps the origin that the file records.
  private func provenance(_ number: Int) -> ArchiveIndex.Source? {
    let origin = source.tensors[number]
    if let archive = source.archive { return archive.index.tensors[number].source }
    guard let file = fileNumbers[origin.file] else { return nil }
    return ArchiveIndex.Source(
      file: file, name: origin.info.name, dtype: origin.info.dtype, offset: origin.offset,
      byteCount: origin.info.byteCount, digest: Digest([UInt8](repeating: 0, count: 32)))
  }

  /// The planned tensor whose bytes this one repeats, if the map says that it may and the bytes are indeed equal.
  private func alias(_ tensor: ModelMap.Tensor, encoding: (any Encoding)?) throws -> Int? {
    guard let name = tensor.sameAs, let number = planned[name], encodings[number]?.name == encoding?.name else {
      return nil
    }
    let (a, b) = (tensor.number, numbers[number])
    if let archive = source.archive { return archive.index.tensors[a].aliasOf == b ? number : nil }
    guard source.tensors[a].info.dtype == source.tensors[b].info.dtype,
      source.tensors[a].info.shape == source.tensors[b].info.shape
    else { return nil }
    // Planning shows no progress.
    let quiet = Resources(threadCount: 1, cancellation: options.resources.cancellation)
    return try source.hasSameBytes(a, as: b, of: source, quiet) ? number : nil
  }
}

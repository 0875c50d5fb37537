import Encodings
import GGUF
import ModelSources
import Tensors

/// The language model of a source as one GGUF file that llama.cpp runs. Format: formats/exports.md.
///
/// Which component that is, how its tensors are called and where its facts stand is data (formats/names.md).
public struct GGUFExport: ExportFormat {
  public init() {}

  public var name: String { "gguf" }
  public var fileEnding: String? { "gguf" }

  public func plan(_ source: ModelSource, _ map: ModelMap, _ options: ExportOptions) throws -> ExportPlan {
    let known = try NameMap.builtIn().filter { $0.output != nil }
    guard let names = known.first(where: { $0.family == map.family }), let output = names.output else {
      throw ExportError.familyNotHeld(
        path: source.path, format: name, family: map.family, held: known.map(\.family))
    }
    let component = try component(output, source, map, options)
    var forms = GGUFForms(source: source, dtype: options.dtype)
    var tensors: [(layout: GGUFLayout.Tensor, number: Int, form: TensorForm)] = []
    var notes: [String] = []
    let named = try component.tensors.map { tensor -> (number: Int, name: String) in
      let origin = source.origin(of: tensor.number).name
      guard let name = names.layoutName(of: origin.text) else {
        throw ExportError.noName(path: source.path, format: name, tensor: origin)
      }
      return (tensor.number, name)
    }
    for (number, name) in named {
      if let other = output.implied.first(where: { $0.name == name })?.by,
        let repeated = source.repeated(number), named.contains(where: { $0.number == repeated && $0.name == other })
      {
        notes.append("'\(name)' repeats '\(other)' and is left out: readers take that one")
        continue
      }
      let (type, form) = try forms.form(number, name: name)
      let shape = source.tensors[number].info.shape
      tensors.append((.init(name: TensorName(name), type: type, shape: shape), number, form))
    }
    let types = tensors.map { (type: $0.layout.type, shape: $0.layout.shape) }
    let metadata: [GGUFPair]
    if let file = GGUFFacts.file(of: source, output) {
      metadata = try GGUFFacts.copied(from: file, types: types)
    } else {
      let rows = tensors.first { $0.layout.name.text == output.vocabulary }?.layout.shape.first
      guard let rows else {
        throw ExportError.noName(path: source.path, format: name, tensor: TensorName(output.vocabulary))
      }
      let facts = try GGUFFacts(source, map, output)
      let vocabulary = try GGUFVocabulary(source, rows: rows)
      metadata = try facts.general(types) + facts.model() + vocabulary.pairs(output) + facts.tokens(vocabulary)
      notes += vocabulary.notes
    }
    let layout: GGUFLayout
    do throws(GGUFError) { layout = try GGUFLayout(metadata, tensors.map(\.layout)) } catch {
      throw ExportError.gguf(path: source.path, error)
    }
    let placed = zip(tensors, layout.places).map { tensor, place in
      ExportPlan.Tensor(
        name: tensor.layout.name, type: tensor.layout.type.name, shape: tensor.layout.shape, byteCount: place.byteCount,
        offset: place.offset, number: tensor.number, form: tensor.form)
    }
    let file = ExportPlan.File(
      path: "", header: layout.header, tensors: placed, byteCount: layout.fileByteCount)
    let other = map.components.filter { $0.name != component.name }.map(\.name)
    if !other.isEmpty {
      notes.append("left out: \(other.joined(separator: ", ")); such a file holds \(component.name) alone")
    }
    return ExportPlan(
      source: source, map: map, format: name, isOneFile: true, files: [file], notes: map.notes + notes + forms.notes)
  }

  /// The one component of the source that is written.
  private func component(
    _ output: LayoutOutput, _ source: ModelSource, _ map: ModelMap, _ options: ExportOptions
  ) throws -> ModelMap.Component {
    func notHeld(_ found: [String]) -> ExportError {
      .componentNotHeld(path: source.path, format: name, component: output.component, found: found)
    }
    if let asked = options.components, asked != [output.component] { throw notHeld(asked) }
    guard let component = map.components.first(where: { $0.name == output.component }) else {
      throw notHeld(map.components.map(\.name))
    }
    guard !component.tensors.isEmpty else { throw ExportError.nothingToExport(path: source.path) }
    return component
  }
}

extension ExportFormat where Self == GGUFExport {
  public static var gguf: Self { GGUFExport() }
}

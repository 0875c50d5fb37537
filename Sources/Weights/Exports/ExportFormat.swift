import ModelSources
import Tensors

/// A form in which models are written for other programs.
public protocol ExportFormat: Sendable {
  /// As the command line names it.
  var name: String { get }
  /// The ending of its only file's name; nil where it is a folder of files.
  var fileEnding: String? { get }
  /// Works out everything before the first byte is written.
  /// - Throws: ``ExportError``, or what reading the source's headers and companions throws.
  func plan(_ source: ModelSource, _ map: ModelMap, _ options: ExportOptions) throws -> ExportPlan
}

/// What to export, and how.
public struct ExportOptions: Sendable {
  /// Names of components; nil for all that the format holds.
  public var components: [String]?
  /// Cast real tensors to this type, quantized ones too; nil keeps what the format can hold.
  public var dtype: DType?

  public init(components: [String]? = nil, dtype: DType? = nil) {
    self.components = components
    self.dtype = dtype
  }
}

extension ExportFormat {
  /// The plan for a source whose family is found, or given by name.
  public func plan(
    _ source: ModelSource, family: String? = nil, _ options: ExportOptions = ExportOptions()
  ) throws -> ExportPlan {
    try plan(source, ModelMap(source, family: family), options)
  }
}

/// The formats, by name.
public enum ExportFormats {
  public static let all: [any ExportFormat] = [SafetensorsExport(), GGUFExport()]

  public static func named(_ name: String) -> (any ExportFormat)? { all.first { $0.name == name } }
}

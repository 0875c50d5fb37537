// What a program needs, by name: `import Bantam` brings these declarations and nothing else of the house.

// Files and tensors.
@_exported import class BantamArchive.Archive
@_exported import enum BantamArchive.ArchiveError
@_exported import enum BantamArchive.ArchiveVerifier
@_exported import enum Checkpoints.CheckpointError
@_exported import class Checkpoints.SafetensorsStream
@_exported import enum Checkpoints.SafetensorsStreamError
@_exported import enum ModelSources.FamilyError
@_exported import struct ModelSources.ModelMap
@_exported import class ModelSources.ModelSource
@_exported import struct ModelSources.Resources
@_exported import enum ModelSources.ResourcesError
@_exported import class Tensors.Cancellation
@_exported import enum Tensors.DType
@_exported import struct Tensors.ErrorReport
@_exported import enum Tensors.ExitStatus
@_exported import enum Tensors.FileError
@_exported import protocol Tensors.ReportingError
@_exported import struct Tensors.TensorInfo
@_exported import struct Tensors.TensorName

// Converting, quantizing, exporting.
@_exported import enum Conversion.ConversionError
@_exported import struct Conversion.ConversionOptions
@_exported import struct Conversion.ConversionPlan
@_exported import enum Conversion.Converter
@_exported import struct Encodings.GroupEncoding
@_exported import enum Exports.ExportError
@_exported import protocol Exports.ExportFormat
@_exported import struct Exports.ExportOptions
@_exported import struct Exports.ExportPlan
@_exported import enum Exports.Exporter
@_exported import struct Exports.GGUFExport
@_exported import struct Exports.SafetensorsExport
@_exported import struct Quantization.QuantizationRecipe
@_exported import enum Quantization.RecipeError

// Comparing.
@_exported import enum Comparison.SourceComparison
@_exported import struct Comparison.WeightDiff
@_exported import struct Kernels.ValueDifference
@_exported import enum Observation.ObservationError
@_exported import protocol Observation.ObservedRun
@_exported import struct Observation.PipelineOutline
@_exported import class Observation.RunDiff
@_exported import struct Observation.RunResult

// Running.
@_exported import struct Blip3o.AnsweringRun
@_exported import struct Blip3o.CLIPFeatures
@_exported import class Blip3o.Conversation
@_exported import struct Blip3o.GenerationOptions
@_exported import class Blip3o.Model
@_exported import enum Blip3o.ModelError
@_exported import struct Blip3o.Noise
@_exported import struct Blip3o.PaintingRun
@_exported import struct Blip3o.PictureEncoder
@_exported import struct Blip3o.RunOptions
@_exported import struct Blip3o.SamplingOptions
@_exported import struct Blip3o.StageReport
@_exported import class Blip3o.TextToImage
@_exported import enum Blip3o.Trace
@_exported import struct Networks.ConfigError
@_exported import struct NetworkRuntime.Activation
@_exported import enum NetworkRuntime.ComputeMode
@_exported import struct NetworkRuntime.NetworkOperation
@_exported import struct NetworkRuntime.ObservedValues
@_exported import protocol NetworkRuntime.Observer
@_exported import enum NetworkRuntime.RuntimeError
@_exported import class Observation.Profiler
@_exported import struct Observation.TracedTensor
@_exported import struct Pictures.Picture
@_exported import enum Pictures.PictureError
@_exported import enum Tokenization.ChatTemplate
@_exported import struct Tokenization.Tokenizer
@_exported import enum Tokenization.TokenizerError

// Showing.
@_exported import enum Documents.Cell
@_exported import struct Documents.Document
@_exported import enum Documents.DocumentFormat
@_exported import struct Documents.Table
@_exported import struct Documents.TextStyle
@_exported import struct Reports.DiffReport
@_exported import struct Reports.ExportReport
@_exported import struct Reports.Inspection
@_exported import struct Reports.PlanReport
@_exported import protocol Reports.Presentation
@_exported import struct Reports.ProfileReport
@_exported import struct Reports.QualityReport
@_exported import enum Reports.ReportError
@_exported import struct Reports.RunDiffReport
@_exported import struct Reports.TensorDetails
@_exported import struct Reports.TensorReport

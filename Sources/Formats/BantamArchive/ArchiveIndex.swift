import Encodings
import Kernels
import Tensors

/// All that a `.bantam` file says about its content, apart from the payload.
public struct ArchiveIndex: Sendable, Equatable {
  public var components: [Component] = []
  public var encodings: [Encoding] = []
  public var layouts: [PlaneLayout] = []
  public var sourceFiles: [SourceFile] = []
  /// In execution order, component after component.
  public var tensors: [Tensor] = []
  public var blobs: [Blob] = []

  public init() {}

  /// A part of the model, with an arena of its own.
  public struct Component: Sendable, Equatable {
    public var name: String
    public var tensorRange: Range<Int>
    public var arenaOffset: Int
    /// With the guard bytes.
    public var arenaByteCount: Int
  }

  /// How values are coded. A name that is not known spoils only the tensors that use it.
  public struct Encoding: Sendable, Hashable {
    public var name: String
    /// JSON, or empty.
    public var parameters: String

    public init(name: String, parameters: String = "") {
      self.name = name
      self.parameters = parameters
    }

    /// Elements of the tensor's own dtype.
    public static let plain = Encoding(name: "plain")
  }

  public struct SourceFile: Sendable, Hashable {
    /// Path below the source's root.
    public var path: String
    public var byteCount: Int

    public init(path: String, byteCount: Int) {
      self.path = path
      self.byteCount = byteCount
    }
  }

  public struct Tensor: Sendable, Equatable {
    public var info: TensorInfo
    public var role: String
    public var component: Int
    public var encoding: Int
    public var planes: [Plane]
    /// The tensor whose planes this one shares.
    public var aliasOf: Int?
    public var source: Source?
    public var statistics: Statistics?
    public var quality: Quality?
  }

  /// Where a tensor came from.
  public struct Source: Sendable, Equatable {
    public var file: Int
    public var name: TensorName
    public var dtype: DType
    public var offset: Int
    public var byteCount: Int
    /// SHA-256 of the source's plain bytes.
    public var digest: Digest

    public init(file: Int, name: TensorName, dtype: DType, offset: Int, byteCount: Int, digest: Digest) {
      self.file = file
      self.name = name
      self.dtype = dtype
      self.offset = offset
      self.byteCount = byteCount
      self.digest = digest
    }
  }

  /// Statistics of the source's values.
  public struct Statistics: Sendable, Equatable {
    public var minimum: Double
    public var maximum: Double
    public var rms: Double
    public var zeroCount: Int
    public var nonfiniteCount: Int

    public init(minimum: Double, maximum: Double, rms: Double, zeroCount: Int, nonfiniteCount: Int) {
      self.minimum = minimum
      self.maximum = maximum
      self.rms = rms
      self.zeroCount = zeroCount
      self.nonfiniteCount = nonfiniteCount
    }

    public init(_ statistics: ValueStatistics) {
      self.init(
        minimum: statistics.minimum, maximum: statistics.maximum, rms: statistics.rms,
        zeroCount: statistics.zeroCount, nonfiniteCount: statistics.nonfiniteCount)
    }
  }

  /// What the encoding lost, measured against the source.
  public struct Quality: Sendable, Equatable {
    /// Algorithm and its parameters.
    public var method: String
    public var sqnrDecibels: Double
    public var maximumAbsoluteError: Double
    public var cosine: Double

    public init(method: String, sqnrDecibels: Double, maximumAbsoluteError: Double, cosine: Double) {
      self.method = method
      self.sqnrDecibels = sqnrDecibels
      self.maximumAbsoluteError = maximumAbsoluteError
      self.cosine = cosine
    }
  }

  public struct Plane: Sendable, Equatable {
    /// Nil for a kind of a later version.
    public var kind: PlaneKind?
    public var layout: Int
    /// From the start of the file.
    public var offset: Int
    public var byteCount: Int
    /// CRC-32C of each chunk, counted from the plane's start.
    public var sums: [UInt32]

    public init(kind: PlaneKind?, layout: Int, offset: Int, byteCount: Int, sums: [UInt32]) {
      self.kind = kind
      self.layout = layout
      self.offset = offset
      self.byteCount = byteCount
      self.sums = sums
    }
  }

  /// A file of the source that is carried along: configs, tokenizer.
  public struct Blob: Sendable, Equatable {
    /// Path below the source's root.
    public var name: String
    public var offset: Int
    public var byteCount: Int
    public var sums: [UInt32]
    public var digest: Digest

    public init(name: String, offset: Int, byteCount: Int, sums: [UInt32], digest: Digest) {
      self.name = name
      self.offset = offset
      self.byteCount = byteCount
      self.sums = sums
      self.digest = digest
    }
  }
}

// swift-tools-version: 6.2
import PackageDescription

/// Floors, lowest first: a target stands on its own floor and on those below. tools/check_arrows.py holds the manifest against the imports.
enum Floor: String {
  case system = "System"
  case base = "Base"
  case formats = "Formats"
  case weights = "Weights"
  case run = "Run"
  case look = "Look"

  func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(rawValue)/\(name)", exclude: ["README.md"])
  }

  /// C, without dependencies.
  func c(_ name: String) -> Target { .target(name: name, path: "Sources/\(rawValue)/\(name)") }

  func tests(_ name: String, _ dependencies: [Target.Dependency], fixtures: Fixtures = .none) -> Target {
    .testTarget(
      name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(rawValue)/\(name)Tests",
      exclude: fixtures == .inPlace ? ["Fixtures"] : [], resources: fixtures == .copied ? [.copy("Fixtures")] : [])
  }

  enum Fixtures { case none, copied, inPlace }
}

func library(_ name: String, pkgConfig: String? = nil, _ packages: String...) -> Target {
  .systemLibrary(name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt(packages)])
}

let package = Package(
  name: "bantam",
  products: [
    .executable(name: "bantam", targets: ["BantamCLI"]),
    // What a program needs: import Bantam.
    .library(name: "Bantam", targets: ["Bantam"]),
    // The readers on their own, for fuzzing and measuring.
    .library(
      name: "BantamParts",
      targets: [
        "Tensors", "Kernels", "Encodings", "JSONText", "ZipFiles", "PickleFiles", "GGUF", "Checkpoints",
        "BantamArchive",
        "NetworkRuntime", "Observation", "Blip3o",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // System: C that speaks to the system, and libraries of others.
    Floor.system.c("CLinux"),
    library("CCrypto", pkgConfig: "libcrypto", "libssl-dev"),
    library("CJSONC", pkgConfig: "json-c", "libjson-c-dev"),
    library("CSPNG", pkgConfig: "spng", "libspng-dev"),
    library("CTurboJPEG", pkgConfig: "libturbojpeg", "libturbojpeg0-dev"),
    library("CUTF8Proc", "libutf8proc-dev"),
    library("CWebP", pkgConfig: "libwebp", "libwebp-dev"),
    library("CZlib", pkgConfig: "zlib", "zlib1g-dev"),
    library("CZstd", pkgConfig: "libzstd", "libzstd-dev"),
    // Base: what bytes of a tensor are, and what is computed with them.
    Floor.base.c("CKernels"),
    Floor.base.module("Tensors", ["CLinux"]),
    Floor.base.module("Kernels", ["CCrypto", "CKernels", "Tensors"]),
    Floor.base.module("Encodings", ["Tensors", "Kernels"]),
    // Formats: files, each format on its own.
    Floor.formats.module("JSONText", ["CJSONC", "Tensors"]),
    Floor.formats.module("ZipFiles", ["CZlib", "Tensors"]),
    Floor.formats.module("PickleFiles", ["Tensors"]),
    Floor.formats.module("GGUF", ["Tensors", "Kernels", "Encodings"]),
    Floor.formats.module(
      "Checkpoints", ["CZstd", "Tensors", "Encodings", "JSONText", "ZipFiles", "PickleFiles", "GGUF"]),
    Floor.formats.module("BantamArchive", ["Tensors", "Kernels", "Encodings", "JSONText"]),
    Floor.formats.module("Pictures", ["CSPNG", "CTurboJPEG", "CWebP", "Tensors"]),
    Floor.formats.module("Tokenization", ["CUTF8Proc", "Tensors", "JSONText"]),
    // Weights: sources, families, conversion, exports.
    .target(
      name: "BantamFormats", path: "formats",
      exclude: [
        "README.md", "activations.md", "bantam.md", "exports.md", "families.md", "json.md", "names.md", "pictures.md",
        "record.md", "sensitivity.md", "sources.md", "statistics.md",
      ],
      sources: ["Formats.swift"],
      resources: [
        .embedInCode("families/blip3o.json"), .embedInCode("families/blip3o-next.json"),
        .embedInCode("families/siglip2-sana.json"), .embedInCode("names/qwen2vl.json"),
      ]),
    Floor.weights.module(
      "ModelSources",
      [
        "Tensors", "Kernels", "Encodings", "JSONText", "Checkpoints", "BantamArchive", "Tokenization",
        "BantamFormats",
      ]),
    Floor.weights.module("Quantization", ["Tensors", "Encodings", "JSONText"]),
    Floor.weights.module(
      "InputStatistics", ["Tensors", "Kernels", "Encodings", "JSONText", "Checkpoints", "ModelSources"]),
    Floor.weights.module(
      "Conversion",
      [
        "Tensors", "Kernels", "Encodings", "JSONText", "BantamArchive", "Tokenization", "ModelSources",
        "Quantization", "InputStatistics",
      ]),
    Floor.weights.module(
      "Planning",
      [
        "Tensors", "Encodings", "JSONText", "ModelSources", "Quantization", "InputStatistics", "Conversion",
      ]),
    Floor.weights.module(
      "Exports",
      [
        "Tensors", "Kernels", "Encodings", "JSONText", "GGUF", "Checkpoints", "BantamArchive", "Tokenization",
        "ModelSources",
      ]),
    Floor.weights.module("Samples", ["Tensors", "Kernels", "JSONText", "Checkpoints", "Tokenization", "ModelSources"]),
    // Run: networks at work, and those who look on.
    Floor.run.module("NetworkRuntime", ["Tensors", "Kernels", "Encodings"]),
    Floor.run.module("Observation", ["Tensors", "Kernels", "Pictures", "InputStatistics", "NetworkRuntime"]),
    Floor.run.module("Networks", ["Tensors", "Kernels", "JSONText", "NetworkRuntime"]),
    Floor.run.module(
      "Blip3o",
      [
        "Tensors", "Kernels", "Encodings", "JSONText", "Checkpoints", "Pictures", "Tokenization", "ModelSources",
        "InputStatistics", "Conversion", "NetworkRuntime", "Observation", "Networks",
      ]),
    // Look: what people are shown.
    Floor.look.module("Documents", ["Tensors", "JSONText"]),
    Floor.look.module(
      "Comparison", ["Tensors", "Kernels", "Checkpoints", "BantamArchive", "ModelSources", "Observation"]),
    Floor.look.module("PictureComparison", ["Tensors", "Pictures"]),
    Floor.look.module(
      "Evidence",
      [
        "Tensors", "Kernels", "JSONText", "Checkpoints", "Pictures", "ModelSources", "NetworkRuntime", "Observation",
        "Comparison", "PictureComparison", "Documents",
      ]),
    Floor.look.module(
      "Sensitivity",
      [
        "Tensors", "Kernels", "Encodings", "JSONText", "ModelSources", "InputStatistics", "Planning", "NetworkRuntime",
        "Observation", "Blip3o", "Documents",
      ]),
    Floor.look.module(
      "Reports",
      [
        "Tensors", "Kernels", "Encodings", "JSONText", "Checkpoints", "BantamArchive", "ModelSources",
        "InputStatistics", "Conversion", "Planning", "Exports", "NetworkRuntime", "Observation", "Comparison",
        "Documents", "PictureComparison",
      ]),
    // Bantam: the face to programs, and the command line.
    .target(
      name: "Bantam",
      dependencies: [
        "Tensors", "Kernels", "Encodings", "Checkpoints", "BantamArchive", "Pictures", "Tokenization",
        "ModelSources", "Quantization", "InputStatistics", "Conversion", "Planning", "Exports", "NetworkRuntime",
        "Observation", "Networks", "Blip3o", "Comparison", "Documents", "PictureComparison", "Evidence",
        "Sensitivity", "Reports",
      ],
      exclude: ["README.md"]),
    .executableTarget(
      name: "BantamCLI",
      dependencies: [
        "Tensors", "Kernels", "Encodings", "JSONText", "Checkpoints", "BantamArchive", "Pictures",
        "Tokenization", "ModelSources", "Quantization", "InputStatistics", "Conversion", "Exports", "Samples",
        "Planning", "NetworkRuntime", "Observation", "Blip3o", "Comparison", "Documents", "PictureComparison",
        "Evidence", "Sensitivity", "Reports",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], exclude: ["README.md"]),
    // Tests, by floor.
    .target(
      name: "TestSupport", dependencies: ["Tensors", "Kernels", "Encodings"], path: "Tests/TestSupport"),
    .target(
      name: "SampleSupport", dependencies: ["TestSupport", "Tensors", "ModelSources", "Samples"],
      path: "Tests/SampleSupport"),
    Floor.base.tests("Tensors", ["TestSupport", "Tensors"]),
    Floor.base.tests("Kernels", ["TestSupport", "CKernels", "Tensors", "Kernels", "JSONText"], fixtures: .copied),
    Floor.base.tests("Encodings", ["TestSupport", "Tensors", "Kernels", "Encodings"]),
    Floor.formats.tests("JSONText", ["TestSupport", "Tensors", "JSONText"]),
    Floor.formats.tests("ZipFiles", ["TestSupport", "Tensors", "ZipFiles"]),
    Floor.formats.tests("PickleFiles", ["TestSupport", "Tensors", "PickleFiles"]),
    Floor.formats.tests("GGUF", ["TestSupport", "Tensors", "Encodings", "GGUF"]),
    Floor.formats.tests("Checkpoints", ["TestSupport", "Tensors", "JSONText", "Checkpoints"], fixtures: .copied),
    Floor.formats.tests(
      "BantamArchive", ["TestSupport", "Tensors", "Kernels", "Encodings", "JSONText", "BantamArchive"]),
    Floor.formats.tests("Pictures", ["TestSupport", "Kernels", "JSONText", "Pictures"], fixtures: .copied),
    Floor.formats.tests(
      "Tokenization", ["TestSupport", "JSONText", "Tokenization", "ModelSources", "Samples"], fixtures: .copied),
    Floor.weights.tests(
      "ModelSources",
      [
        "TestSupport", "Tensors", "Kernels", "Encodings", "Checkpoints", "BantamArchive", "ModelSources",
        "Quantization", "Conversion", "Exports", "Samples", "Comparison", "SampleSupport",
      ], fixtures: .inPlace),
    Floor.weights.tests("Quantization", ["Tensors", "Encodings", "JSONText", "Quantization"]),
    Floor.weights.tests(
      "InputStatistics", ["TestSupport", "Tensors", "Kernels", "Encodings", "JSONText", "InputStatistics"]),
    Floor.weights.tests("Planning", ["TestSupport", "Encodings", "JSONText", "Quantization", "Planning"]),
    Floor.weights.tests(
      "Conversion",
      [
        "TestSupport", "Tensors", "Kernels", "Encodings", "JSONText", "Checkpoints", "BantamArchive",
        "ModelSources", "Quantization", "InputStatistics", "Conversion", "Exports", "Comparison", "SampleSupport",
      ], fixtures: .inPlace),
    Floor.weights.tests(
      "Exports",
      [
        "TestSupport", "Tensors", "JSONText", "GGUF", "Checkpoints", "BantamArchive", "Tokenization",
        "ModelSources", "Quantization", "Conversion", "Exports", "Samples", "Comparison", "SampleSupport",
      ]),
    Floor.run.tests("NetworkRuntime", ["TestSupport", "Tensors", "Kernels", "Encodings", "NetworkRuntime"]),
    Floor.run.tests(
      "Observation",
      [
        "TestSupport", "Tensors", "Encodings", "JSONText", "Pictures", "ModelSources", "Quantization",
        "Conversion", "Samples", "NetworkRuntime", "Observation", "Blip3o", "Comparison", "Documents", "Reports",
      ]),
    Floor.run.tests(
      "Blip3o",
      [
        "TestSupport", "Tensors", "Encodings", "JSONText", "Pictures", "Tokenization", "ModelSources",
        "Quantization", "InputStatistics", "Conversion", "NetworkRuntime", "Observation", "Networks", "Blip3o",
      ], fixtures: .copied),
    Floor.look.tests(
      "Comparison", ["TestSupport", "Tensors", "Kernels", "ModelSources", "Observation", "Comparison"]),
    Floor.look.tests(
      "Evidence",
      [
        "TestSupport", "Tensors", "Encodings", "JSONText", "Pictures", "ModelSources", "Quantization", "Conversion",
        "Samples", "NetworkRuntime", "Observation", "Blip3o", "Evidence", "Documents",
      ]),
    Floor.look.tests("Documents", ["TestSupport", "JSONText", "Documents"]),
    Floor.look.tests(
      "PictureComparison", ["TestSupport", "Kernels", "JSONText", "Pictures", "PictureComparison"], fixtures: .copied),
    Floor.look.tests("Reports", ["TestSupport", "Tensors", "JSONText", "ModelSources", "Reports"]),
    .testTarget(
      name: "BantamCLITests",
      dependencies: ["BantamCLI", "TestSupport", "Tensors", "Kernels", "JSONText", "BantamArchive"],
      path: "Tests/Command/BantamCLITests"),
  ],
  swiftLanguageModes: [.v6]
)

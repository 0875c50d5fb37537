// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "bantam",
  products: [
    .executable(name: "bantam", targets: ["BantamCLI"]),
    .library(
      name: "Bantam",
      targets: [
        "Tensors", "JSON", "Encodings", "Zip", "Pickle", "GGUF", "Checkpoints", "Archive", "Quantization", "Conversion",
        "Exports", "Comparison",
        "Samples", "Report", "Tokenization", "Runtime", "Pictures", "Blip3o", "Observation",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // Floor 1: C, system libraries, and data.
    .target(name: "CKernels"),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CJSONC", pkgConfig: "json-c", providers: [.apt(["libjson-c-dev"])]),
    .systemLibrary(name: "CUTF8Proc", providers: [.apt(["libutf8proc-dev"])]),
    .target(name: "CLinux"),
    .systemLibrary(name: "CSPNG", pkgConfig: "spng", providers: [.apt(["libspng-dev"])]),
    .target(
      name: "Formats", path: "formats",
      exclude: ["README.md", "activations.md", "bantam.md", "exports.md", "families.md", "names.md", "sources.md"],
      sources: ["Formats.swift"],
      resources: [
        .embedInCode("families/blip3o.json"), .embedInCode("families/blip3o-next.json"),
        .embedInCode("families/siglip2-sana.json"), .embedInCode("names/qwen2vl.json"),
      ]),
    .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "Tensors", dependencies: ["CLinux"], exclude: ["README.md"]),
    // Floor 2 and up.
    .target(name: "JSON", dependencies: ["CJSONC", "Tensors"], exclude: ["README.md"]),
    .target(name: "Kernels", dependencies: ["CKernels", "CCrypto", "Tensors"], exclude: ["README.md"]),
    .target(name: "Zip", dependencies: ["CZlib", "Tensors"], exclude: ["README.md"]),
    .target(name: "Pickle", dependencies: ["Tensors"], exclude: ["README.md"]),
    .target(name: "Encodings", dependencies: ["Tensors", "Kernels"], exclude: ["README.md"]),
    .target(name: "GGUF", dependencies: ["Tensors", "Kernels", "Encodings"], exclude: ["README.md"]),
    .target(
      name: "Checkpoints", dependencies: ["Tensors", "Encodings", "JSON", "Zip", "Pickle", "GGUF", "CZstd"],
      exclude: ["README.md"]),
    .target(name: "Archive", dependencies: ["Tensors", "JSON", "Kernels", "Encodings"], exclude: ["README.md"]),
    .target(name: "Quantization", dependencies: ["Tensors", "JSON", "Encodings"], exclude: ["README.md"]),
    .target(
      name: "Conversion",
      dependencies: [
        "Tensors", "JSON", "Kernels", "Encodings", "Quantization", "Tokenization", "Checkpoints", "Archive", "Formats",
      ],
      exclude: ["README.md"]),
    .target(
      name: "Exports",
      dependencies: [
        "Tensors", "JSON", "Kernels", "Encodings", "GGUF", "Tokenization", "Checkpoints", "Archive", "Conversion",
      ],
      exclude: ["README.md"]),
    .target(
      name: "Samples", dependencies: ["Tensors", "JSON", "Kernels", "Tokenization", "Checkpoints", "Conversion"],
      exclude: ["README.md"]
    ),
    .target(name: "Tokenization", dependencies: ["Tensors", "JSON", "CUTF8Proc"], exclude: ["README.md"]),
    .target(name: "Pictures", dependencies: ["Tensors", "CSPNG", "CTurboJPEG", "CWebP"], exclude: ["README.md"]),
    .target(name: "Runtime", dependencies: ["Tensors", "Kernels", "Encodings"], exclude: ["README.md"]),
    .target(
      name: "Blip3o",
      dependencies: [
        "Tensors", "JSON", "Kernels", "Tokenization", "Conversion", "Runtime", "Observation", "Pictures",
      ],
      exclude: ["README.md"]),
    .target(name: "Comparison", dependencies: ["Tensors", "Kernels", "Conversion"], exclude: ["README.md"]),
    .target(name: "Observation", dependencies: ["Runtime", "Kernels", "Tensors"], exclude: ["README.md"]),
    .target(
      name: "Report",
      dependencies: [
        "Tensors", "JSON", "Kernels", "Encodings", "Archive", "Conversion", "Exports", "Runtime", "Comparison", "Observation",
      ],
      exclude: ["README.md"]),
    .executableTarget(
      name: "BantamCLI",
      dependencies: [
        "Tensors", "JSON", "Archive", "Quantization", "Conversion", "Exports", "Comparison", "Samples", "Report",
        "Tokenization", "Pictures", "Blip3o", "Kernels", "Observation", "Runtime",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], exclude: ["README.md"]),
    .executableTarget(
      name: "bantam-bench",
      dependencies: ["Archive", "Blip3o", "Encodings", "Kernels", "Observation", "Runtime", "Tensors"],
      path: "benchmarks/Bench"),
    // Examples.
    .executableTarget(name: "example-convert", dependencies: ["Conversion"], path: "examples/Convert"),
    .executableTarget(name: "example-inspect", dependencies: ["Report", "Tensors"], path: "examples/Inspect"),
    .executableTarget(name: "example-export", dependencies: ["Conversion", "Exports"], path: "examples/Export"),
    .executableTarget(name: "example-generate", dependencies: ["Blip3o"], path: "examples/Generate"),
    // Tests.
    .target(name: "TestSupport", dependencies: ["Encodings", "Kernels", "Tensors"], path: "Tests/TestSupport"),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
    .testTarget(name: "JSONTests", dependencies: ["JSON", "Tensors", "TestSupport"]),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "CKernels", "JSON", "Tensors", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "RuntimeTests", dependencies: ["Runtime", "Encodings", "Kernels", "Tensors", "TestSupport"]),
    .testTarget(
      name: "PicturesTests", dependencies: ["Pictures", "JSON", "Kernels", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "Blip3oTests",
      dependencies: [
        "Blip3o", "Conversion", "Encodings", "JSON", "Observation", "Pictures", "Quantization", "Runtime", "Tensors",
        "Tokenization", "TestSupport",
      ],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "ZipTests", dependencies: ["Zip", "Tensors", "TestSupport"]),
    .testTarget(name: "PickleTests", dependencies: ["Pickle", "Tensors", "TestSupport"]),
    .testTarget(name: "GGUFTests", dependencies: ["GGUF", "Encodings", "Tensors", "TestSupport"]),
    .testTarget(
      name: "CheckpointsTests",
      dependencies: ["Checkpoints", "JSON", "Tensors", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "ArchiveTests", dependencies: ["Archive", "Encodings", "JSON", "Kernels", "Tensors", "TestSupport"]),
    .testTarget(
      name: "ConversionTests",
      dependencies: [
        "Conversion", "Comparison", "Encodings", "Exports", "Samples", "Quantization", "Archive", "Checkpoints", "JSON",
        "Kernels", "Tensors", "TestSupport",
      ],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "ExportsTests",
      dependencies: [
        "Exports", "Archive", "Checkpoints", "Comparison", "Conversion", "Encodings", "GGUF", "JSON", "Quantization",
        "Samples", "Tensors", "Tokenization", "TestSupport",
      ]),
    .testTarget(
      name: "EncodingsTests", dependencies: ["Encodings", "Kernels", "Tensors", "TestSupport"]),
    .testTarget(
      name: "QuantizationTests", dependencies: ["Quantization", "Encodings", "JSON", "Tensors", "TestSupport"]),
    .testTarget(
      name: "TokenizationTests",
      dependencies: ["Tokenization", "Samples", "Conversion", "JSON", "Tensors", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "ComparisonTests", dependencies: ["Comparison", "Conversion", "Kernels", "Tensors", "TestSupport"]),
    .testTarget(
      name: "ObservationTests",
      dependencies: [
        "Observation", "Report", "Blip3o", "Conversion", "Encodings", "Samples", "JSON", "Pictures", "Quantization",
        "Runtime", "Tensors", "TestSupport",
      ]),
    .testTarget(name: "ReportTests", dependencies: ["Report", "JSON", "TestSupport"]),
    .testTarget(
      name: "CLITests",
      dependencies: ["BantamCLI", "Archive", "Encodings", "JSON", "Kernels", "Tensors", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)

// swift-tools-version: 6.2
import PackageDescription

// Built by run.sh, which adds the sanitizers' flags for all targets below these.
func fuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: "fuzz-\(name)", dependencies: ["FuzzSupport", .product(name: "BantamParts", package: "bantam")],
    path: "Sources/\(name)")
}

let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "bantam", path: "..")],
  targets: [
    .target(name: "CFuzzer"),
    .target(
      name: "FuzzSupport", dependencies: ["CFuzzer", .product(name: "BantamParts", package: "bantam")],
      path: "Sources/Support"),
    fuzzTarget("json"),
    fuzzTarget("safetensors"),
    fuzzTarget("index"),
    fuzzTarget("zip"),
    fuzzTarget("pickle"),
    fuzzTarget("gguf"),
    fuzzTarget("native"),
  ],
  swiftLanguageModes: [.v6]
)

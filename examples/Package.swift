// swift-tools-version: 6.2
import PackageDescription

func example(_ name: String) -> Target {
  .executableTarget(
    name: "example-\(name.lowercased())", dependencies: [.product(name: "Bantam", package: "bantam")],
    path: "Sources/\(name)")
}

let package = Package(
  name: "examples",
  dependencies: [.package(name: "bantam", path: "..")],
  targets: ["Convert", "Diff", "Export", "Generate", "Inspect", "Walk"].map(example),
  swiftLanguageModes: [.v6]
)

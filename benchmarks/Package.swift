// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "benchmarks",
  dependencies: [.package(name: "bantam", path: "..")],
  targets: [
    .executableTarget(
      name: "bantam-bench", dependencies: [.product(name: "BantamParts", package: "bantam")], path: "Sources/Bench"),
    .executableTarget(
      name: "bantam-swaps", dependencies: [.product(name: "Bantam", package: "bantam")], path: "Sources/Swaps"),
  ],
  swiftLanguageModes: [.v6]
)

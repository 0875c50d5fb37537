import Foundation

/// Runs the built program.
public struct Command {
  public let status: Int32
  public let output: String
  public let errors: String

  /// The program beside the test bundle.
  public static let path: String = {
    var folder = Bundle.main.bundleURL
    for _ in 0..<6 {
      let candidate = folder.appendingPathComponent("bantam").path
      if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
      folder.deleteLastPathComponent()
    }
    return CommandLine.arguments.first.map { ($0 as NSString).deletingLastPathComponent + "/bantam" } ?? "bantam"
  }()

  public static func process(_ arguments: [String], environment: [String: String] = [:]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    return process
  }

  public init(_ arguments: [String], environment: [String: String] = [:]) throws {
    try self.init(Self.process(arguments, environment: environment))
  }

  /// Runs a script of bash, in which `$BANTAM` is the program and `$1`, `$2` are what is given.
  public init(script: String, _ arguments: [String] = [], environment: [String: String] = [:]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", script, "bash"] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }.merging(
      ["BANTAM": Self.path]) { $1 }
    process.standardInput = FileHandle.nullDevice
    try self.init(process)
  }

  private init(_ process: Process) throws {
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Errors are short; data may be long and is read first.
    let data = output.fileHandleForReading.readDataToEndOfFile()
    let talk = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    self.output = String(decoding: data, as: UTF8.self)
    self.errors = String(decoding: talk, as: UTF8.self)
  }
}

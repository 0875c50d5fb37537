import Foundation
import Glibc

/// What the system says of this process.
public struct ProcessUsage: Sendable, Equatable {
  public init() {}

  /// Page faults that had to read, and those that did not.
  public var majorFaults = 0
  public var minorFaults = 0
  /// Bytes that came from a disk.
  public var readByteCount = 0
  /// Memory of this process alone, and of files.
  public var anonymousByteCount = 0
  public var fileByteCount = 0

  public static var current: ProcessUsage {
    var usage = ProcessUsage()
    var resources = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &resources)
    usage.majorFaults = resources.ru_majflt
    usage.minorFaults = resources.ru_minflt
    usage.readByteCount = value("read_bytes", in: "/proc/self/io")
    let status = text("/proc/self/status")
    usage.anonymousByteCount = value("RssAnon", of: status) << 10
    usage.fileByteCount = value("RssFile", of: status) << 10
    return usage
  }

  private static func text(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  private static func value(_ key: String, in path: String) -> Int { value(key, of: text(path)) }

  private static func value(_ key: String, of text: String) -> Int {
    let line = text.split(separator: "\n").first { $0.hasPrefix(key + ":") }
    return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
  }
}

import Glibc

/// Memory that the system can still give.
public enum SystemMemory {
  /// Bytes that this process may still take, by what the system, its control group and its address space limit say; nil where
  /// nothing is known.
  public static var available: Int? {
    var bounds: [Int] = []
    if let kibibytes = value(of: "MemAvailable", in: text("/proc/meminfo")) { bounds.append(kibibytes << 10) }
    let group = "/sys/fs/cgroup"
    if let limit = number(text(group + "/memory.max")), let used = number(text(group + "/memory.current")) {
      // What a group's files take of its memory is given back when it is needed.
      let files = text(group + "/memory.stat").split(separator: "\n").first { $0.hasPrefix("file ") }
      bounds.append(max(0, limit - used + (files.flatMap { Int($0.dropFirst(5)) } ?? 0)))
    }
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max,
      let used = value(of: "VmSize", in: text("/proc/self/status"))
    {
      bounds.append(max(0, Int(clamping: limit.rlim_cur) - used << 10))
    }
    return bounds.min()
  }

  /// - Throws: ``FileError/tooLittleMemory(needed:available:what:)``.
  public static func require(_ byteCount: Int, for what: String) throws(FileError) {
    if let available, byteCount > available {
      throw .tooLittleMemory(needed: byteCount, available: available, what: what)
    }
  }

  /// The system's own files have no size: they are read to their end.
  private static func text(_ path: String) -> Substring {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 8192)
    let count = read(descriptor, &buffer, buffer.count)
    return Substring(decoding: buffer[..<max(0, count)], as: UTF8.self)
  }

  private static func number(_ text: Substring) -> Int? { Int(text.prefix { $0.isNumber }) }

  /// The number behind `KEY:`.
  private static func value(of key: String, in text: Substring) -> Int? {
    let line = text.split(separator: "\n").first { $0.hasPrefix(key + ":") }
    return line.flatMap { Int($0.filter(\.isNumber)) }
  }
}

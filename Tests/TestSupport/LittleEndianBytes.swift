/// The bytes of a number as files have it.
public func little<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// The name of an error's case, without what it carries.
public func caseName(_ error: any Error) -> String { String("\(error)".prefix { $0 != "(" }) }

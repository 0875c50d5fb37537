/// The name of an error's case, without what it carries: an error prints as a sentence, which may hold anything.
public func caseName(_ error: some Error) -> String { enumCaseName(error).map { String(cString: $0) } ?? "\(error)" }

/// What the standard library itself prints values without a description with.
@_silgen_name("swift_EnumCaseName")
private func enumCaseName<Value>(_ value: Value) -> UnsafePointer<CChar>?

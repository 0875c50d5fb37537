import Checkpoints
import JSONText
import Observation
import Tensors

/// Writes what a model makes of the subjects to a safetensors file.
final class RecordWriter: RunSink {
  private let file: SafetensorsStream
  private var steps: [String: Int] = [:]

  /// - Parameter tensorCount: at most so many tensors, for the header's room.
  init(path: String, tensorCount: Int) throws {
    file = try SafetensorsStream(path: path, headerByteCount: 4096 + 192 * tensorCount)
  }

  func logits(_ subject: EvidenceSubject, first: Int, width: Int, _ values: UnsafeBufferPointer<Float>) throws {
    try append(
      .logits(subject: subject.name, first: first), .f32, [values.count / max(1, width), width], .init(values))
  }

  func state(_ subject: EvidenceSubject, phase: String, step: Int, _ values: UnsafeBufferPointer<Float>) throws {
    try append(.state(subject: subject.name, phase: phase, step: step), .f32, [values.count], .init(values))
  }

  func finish(_ subject: EvidenceSubject, _ result: RunResult) throws {
    if !result.tokens.isEmpty {
      try result.tokens.map { Int64($0) }.withUnsafeBytes {
        try append(.tokens(subject: subject.name), .i64, [result.tokens.count], $0)
      }
    }
    if let answer = result.answer {
      try Array(answer.utf8).withUnsafeBytes { try append(.answer(subject: subject.name), .u8, [$0.count], $0) }
    }
    if let picture = result.picture {
      try picture.pixels.withUnsafeBytes {
        try append(.picture(subject: subject.name), .u8, [picture.height, picture.width, 3], $0)
      }
    }
  }

  /// Writes what the record was made with, and gives the file its name.
  func finish(settings: JSONValue) throws {
    try Array(settings.text().utf8).withUnsafeBytes { try append(.settings, .u8, [$0.count], $0) }
    try file.finish()
  }

  private func append(_ name: RecordName, _ dtype: DType, _ shape: [Int], _ bytes: UnsafeRawBufferPointer) throws {
    try file.append(TensorInfo(name: TensorName(name.text), dtype: dtype, shape: shape)!, bytes)
  }
}

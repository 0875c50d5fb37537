import ArgumentParser
import JSONText

/// Start of the random numbers, as torch.manual_seed takes it: from -2^63 to 2^64 - 1; a negative one stands for 2^64 more.
struct Seed: ExpressibleByArgument {
  var value: UInt64
  private let text: String

  init(_ value: UInt64) {
    self.value = value
    text = String(value)
  }

  init?(argument: String) {
    if let value = UInt64(argument) {
      self.value = value
    } else if let value = Int64(argument) {
      self.value = UInt64(bitPattern: value)
    } else {
      return nil
    }
    text = argument
  }

  var defaultValueDescription: String { text }

  /// As it was given; as text where the number is beyond what JSON readers hold exactly as an integer of 64 bits.
  var json: JSONValue { Int(text).map { .int($0) } ?? .string(text) }
}

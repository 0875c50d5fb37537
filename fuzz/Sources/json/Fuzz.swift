import FuzzSupport
import JSONText

@main enum Fuzz: FuzzTarget {
  private static func isSound(_ bytes: [UInt8], takesNaN: Bool) -> Bool {
    guard var scanner = try? JSONScanner(bytes) else { return false }
    return (try? scanner.skipValue(forConfig: true, takesNaN: takesNaN)) != nil && (try? scanner.finish()) != nil
  }

  static func fuzz(_ bytes: [UInt8]) {
    // The strict scanner stands before the tree: what it refuses must never become one.
    guard let value = try? ConfigJSON.parse(bytes) else { return }
    precondition(isSound(bytes, takesNaN: true), "a text was parsed that the scanner refuses")
    // NaN equals nothing, and has no text of its own in JSON.
    guard isSound(bytes, takesNaN: false) else { return }
    let again = try? ConfigJSON.parse(Array(value.text(indent: 1).utf8))
    precondition(again == value, "a tree does not survive its own text")
  }
}

import FuzzSupport
import JSON

@main enum Fuzz: FuzzTarget {
  static func fuzz(_ bytes: [UInt8]) {
    var isSound = false
    if var scanner = try? JSONScanner(bytes) {
      isSound = (try? scanner.skipValue(forConfig: true)) != nil && (try? scanner.finish()) != nil
    }
    // The strict scanner stands before the tree: what it refuses must never become one.
    guard let value = try? ConfigJSON.parse(bytes) else { return }
    precondition(isSound, "a text was parsed that the scanner refuses")
    let again = try? ConfigJSON.parse(Array(value.text(indent: 1).utf8))
    precondition(again == value, "a tree does not survive its own text")
  }
}

@testable import PictureComparison
import Pictures
import Testing
import TestSupport

@Suite struct PictureGridTests {
  private func plain(_ width: Int, _ height: Int, _ colour: [UInt8]) -> Picture {
    Picture(width: width, height: height, pixels: (0..<width * height).flatMap { _ in colour })
  }

  private static let colours: [[UInt8]] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 0, 255], [0, 255, 255]]

  /// The corners of the area that has a colour, and how many pixels do.
  private func area(_ colour: [UInt8], in picture: Picture) -> (
    left: Int, top: Int, right: Int, bottom: Int, count: Int
  )? {
    let found = (0..<picture.width * picture.height).filter {
      picture.pixels[$0 * 3..<$0 * 3 + 3].elementsEqual(colour)
    }
    guard let first = found.first, let last = found.last else { return nil }
    return (first % picture.width, first / picture.width, last % picture.width, last / picture.width, found.count)
  }

  @Test(arguments: [false, true]) func everyPictureIsWholeAndInItsPlace(hasLabels: Bool) throws {
    let pictures = zip([(20, 10), (30, 12), (5, 40), (64, 8), (1, 1)], Self.colours).map { plain($0.0, $0.1, $1) }
    let grid = try PictureGrid(
      pictures, columns: 2, columnLabels: hasLabels ? ["one", "a label that is too long"] : [],
      rowLabels: hasLabels ? ["x", "", "jpg, query"] : [])
    #expect(grid.columnCount == 2 && grid.rowCount == 3)
    let whole = try grid.picture()
    let areas = try zip(pictures, Self.colours).map { picture, colour in
      let place = try #require(area(colour, in: whole))
      #expect(place.count == picture.width * picture.height)
      #expect(place.right - place.left + 1 == picture.width && place.bottom - place.top + 1 == picture.height)
      return place
    }
    for (left, right) in [(0, 1), (2, 3)] { #expect(areas[left].right < areas[right].left) }
    for (upper, lower) in [(0, 2), (1, 3), (2, 4)] { #expect(areas[upper].bottom < areas[lower].top) }
    // In the middle of their cells.
    #expect(abs(areas[0].left + areas[0].right - areas[2].left - areas[2].right) <= 1)
    #expect(abs(areas[2].top + areas[2].bottom - areas[3].top - areas[3].bottom) <= 1)
  }

  @Test func withoutLabelsOnlyGapsAreAdded() throws {
    let whole = try PictureGrid([plain(8, 6, [1, 2, 3]), plain(8, 6, [1, 2, 3])], columns: 7).picture()
    #expect(whole.width == 4 + 8 + 4 + 8 + 4 && whole.height == 4 + 6 + 4)
  }

  @Test func aComparisonIsThreePicturesInARow() throws {
    let (a, b) = (plain(40, 30, Self.colours[0]), plain(40, 30, Self.colours[1]))
    let map = try DifferenceMap(a, b)
    let grid = try PictureGrid(reference: a, b, map, labels: ("a.png", "b.png"))
    #expect(grid.pictures == [a, b, map.picture] && grid.columnLabels == ["a.png", "b.png", "difference x4"])
  }

  @Test func whatCannotBeAGridIsAnError() throws {
    let dot = plain(1, 1, [0, 0, 0])
    for columns in [0, -1] {
      #expect(throws: PictureComparisonError.noPictures) { try PictureGrid([dot], columns: columns) }
    }
    #expect(throws: PictureComparisonError.noPictures) { try PictureGrid([], columns: 1) }
    #expect(throws: PictureComparisonError.labelCount(of: "columns", expected: 2, found: 1)) {
      try PictureGrid([dot, dot], columns: 2, columnLabels: ["a"])
    }
    #expect(throws: PictureComparisonError.labelCount(of: "rows", expected: 1, found: 2)) {
      try PictureGrid([dot, dot], columns: 2, rowLabels: ["a", "b"])
    }
    let long = plain(Picture.sideLimit, 1, [0, 0, 0])
    let error = #expect(throws: PictureComparisonError.self) { try PictureGrid([long, long], columns: 2).picture() }
    guard case .gridTooLarge = error else { return #expect(Bool(false), "\(String(describing: error))") }
  }

  // MARK: Text

  @Test func theFontHasAllOfASCIIAndABoxForAllElse() {
    let drawn = (32...126).map { number in
      BitmapFont.dots(of: Unicode.Scalar(UInt8(number))).map { $0.y * 8 + $0.x }
    }
    #expect(drawn[0].isEmpty && Set(drawn).count == 95)
    let box = BitmapFont.dots(of: "猫").map { $0.y * 8 + $0.x }
    #expect(!drawn.contains(box))
    for scalar: Unicode.Scalar in ["\n", "\u{7F}", "é", "\u{1F408}"] {
      #expect(BitmapFont.dots(of: scalar).map { $0.y * 8 + $0.x } == box)
    }
    for dots in (32...127).map({ BitmapFont.dots(of: Unicode.Scalar(UInt8($0))) }) {
      #expect(dots.allSatisfy { (0..<5).contains($0.x) && (0..<BitmapFont.height).contains($0.y) })
    }
  }

  @Test func longTextIsShortenedInItsMiddle() {
    let text = "a photo of a cute cat.png"
    #expect(BitmapFont.shortened(text, toWidth: BitmapFont.width(of: text)) == text)
    #expect(BitmapFont.shortened(text, toWidth: BitmapFont.width(count: 14)) == "a phot..at.png")
    for width in 0..<160 {
      let short = BitmapFont.shortened(text, toWidth: width)
      #expect(BitmapFont.width(of: short) <= width)
    }
  }
}
